// Colours for what is drawn by program: as the design's names mean them just now.

const NAMES = ['done', 'running', 'ready', 'blocked', 'failed', 'lost', 'canceled'] as const;
export type Colours = Record<(typeof NAMES)[number] | 'line' | 'ink' | 'surface' | 'sunken', string>;

let known: { version: number; colours: Colours } | undefined;

/**
 * Reads them off an element, since a name may mean two colours, one for light and one for dark. That costs a look at
 * all styles, so it is done once for each version of the appearance.
 */
export function coloursAt(place: HTMLElement, version: number): Colours {
  if (known?.version === version) return known.colours;
  const probe = document.createElement('span');
  place.append(probe);
  const read = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found: Partial<Colours> = {
    line: read('--line'),
    ink: read('--ink-3'),
    surface: read('--surface'),
    sunken: read('--sunken'),
  };
  for (const name of NAMES) found[name] = read(`--s-${name}`);
  probe.remove();
  known = { version, colours: found as Colours };
  return known.colours;
}

/** Makes a canvas as sharp as the screen; answers its size in CSS pixels. */
export function sharpen(canvas: HTMLCanvasElement): { context: CanvasRenderingContext2D; width: number; height: number } | undefined {
  const context = canvas.getContext('2d');
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!context || width === 0 || height === 0) return undefined;
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
