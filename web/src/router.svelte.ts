// Which page is shown. Addresses are those that the server answers with the page.

/** The screens of the settings, by the end of their address. */
export type SettingsPart = 'general' | 'presets' | 'watch-folders' | 'notifications';

export type Place =
  | { page: 'jobs' }
  | { page: 'job'; id: number }
  | { page: 'new' }
  | { page: 'workers' }
  | { page: 'settings'; part: SettingsPart }
  | { page: 'interface' }
  | { page: 'login' };

function read(): Place {
  const path = location.pathname;
  const job = /^\/jobs\/(\d+)$/.exec(path);
  if (job) return { page: 'job', id: Number(job[1]) };
  switch (path) {
    case '/new':
      return { page: 'new' };
    case '/workers':
      return { page: 'workers' };
    case '/settings':
      return { page: 'settings', part: 'general' };
    case '/settings/presets':
      return { page: 'settings', part: 'presets' };
    case '/settings/watch-folders':
      return { page: 'settings', part: 'watch-folders' };
    case '/settings/notifications':
      return { page: 'settings', part: 'notifications' };
    case '/api/docs':
      return { page: 'interface' };
    case '/login':
      return { page: 'login' };
    default:
      return { page: 'jobs' };
  }
}

class Router {
  place: Place = $state(read());

  constructor() {
    window.addEventListener('popstate', () => {
      this.place = read();
    });
    // Links stay links, to be opened in new windows and copied; only the plain click is ours.
    document.addEventListener('click', (event) => {
      if (event.defaultPrevented || event.button !== 0) return;
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = (event.target as Element | null)?.closest('a');
      if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')) return;
      if ((link.pathname.startsWith('/api/') && link.pathname !== '/api/docs') || link.hash) return;
      event.preventDefault();
      this.go(link.pathname);
    });
  }

  go(path: string): void {
    if (path !== location.pathname || location.hash) history.pushState(null, '', path);
    this.place = read();
    window.scrollTo(0, 0);
  }

  replace(path: string): void {
    history.replaceState(null, '', path);
    this.place = read();
  }
}

export const router = new Router();
