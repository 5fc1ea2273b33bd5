// Light, dark, or as the system has it. `public/theme.js` applies the choice before anything is painted.

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'segenc-theme';

function kept(): Theme {
  const theme = document.documentElement.dataset.theme;
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

class Appearance {
  theme: Theme = $state(kept());
  /** Changes whenever colours do, for what is drawn by program. */
  version = $state(0);

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.version++);
  }

  choose(theme: Theme): void {
    this.theme = theme;
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      if (theme === 'system') localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Without storage it holds until the page is left.
    }
    this.version++;
  }
}

export const appearance = new Appearance();
