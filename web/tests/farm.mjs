// What the tests of the page stand on: a real server with a real worker, films made by ffmpeg, a browser.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
export const program = process.env.SEGENC_PROGRAM ?? join(target, 'debug', process.platform === 'win32' ? 'segenc.exe' : 'segenc');
export const pictures = join(target, 'page-screenshots');

/** Longer nothing takes here, also on a machine that has much else to do; a test that waits so long has failed. */
export const PATIENCE_MILLIS = 60_000;

/** A film with sound: a keyframe every second, so that there is something to cut. */
export function film(path, { seconds = 8, size = '320x180', codec = 'libx264', seed = 0 } = {}) {
  execFileSync('ffmpeg', [
    '-nostdin', '-v', 'error', '-y',
    '-f', 'lavfi', '-i', `testsrc2=s=${size}:r=25:d=${seconds},hue=h=${seed * 40}`,
    '-f', 'lavfi', '-i', `sine=frequency=${330 + seed * 60}:d=${seconds}`,
    '-c:v', codec, '-preset', 'ultrafast', '-g', '25', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '64k', '-shortest', path,
  ]);
}

export async function startFarm({ workers = 1 } = {}) {
  if (!existsSync(program)) throw new Error(`${program} is not built: cargo build -p segenc`);
  const folder = mkdtempSync(join(tmpdir(), 'segenc-page-'));
  const films = join(folder, 'films');
  mkdirSync(join(films, 'Series'), { recursive: true });
  const child = spawn(
    program,
    ['--json', 'serve', '--data-dir', join(folder, 'data'), '--listen', '127.0.0.1:0', '--workers', String(workers), '--media-root', films],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout });
  const ready = await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const said = JSON.parse(line);
      if (said.event === 'ready') resolve(said);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: ready.page, link: ready.login_link, films, stop };
}

/** A line to the farm that can be made slow and can be cut, as lines are: everything on it breaks at once. */
export async function startLine(farm) {
  const { hostname, port } = new URL(farm.url);
  const open = new Set();
  let isCut = false;
  let bytesPerSecond = Infinity;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    far.pipe(near);
    near.on('data', (bytes) => {
      far.write(bytes);
      if (bytesPerSecond === Infinity) return;
      near.pause();
      setTimeout(() => near.resume(), (bytes.length / bytesPerSecond) * 1000);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    limit: (speed) => {
      bytesPerSecond = speed;
    },
    cut: () => {
      isCut = true;
      for (const socket of open) socket.destroy();
    },
    mend: () => {
      isCut = false;
    },
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

export async function startBrowser() {
  mkdirSync(pictures, { recursive: true });
  const found = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  const executablePath = process.env.SEGENC_TEST_CHROMIUM ?? found;
  if (!executablePath) throw new Error('no Chromium here: install the system’s package, or name one in SEGENC_TEST_CHROMIUM');
  // As root Chromium has no sandbox of its own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}

/**
 * For work on the page: what was just built into the folder that SEGENC_PAGE_DIST names, without building the program
 * around it.
 */
async function serveFromDisk(context, farm) {
  const policy = (await fetch(farm.url)).headers.get('content-security-policy');
  await context.route((url) => !url.pathname.startsWith('/api/'), (route) => {
    const { pathname } = new URL(route.request().url());
    const path = join(process.env.SEGENC_PAGE_DIST, pathname);
    const isFile = pathname !== '/' && existsSync(path);
    return route.fulfill({ path: isFile ? path : join(process.env.SEGENC_PAGE_DIST, 'index.html'), headers: policy ? { 'content-security-policy': policy } : {} });
  });
}

/** A window that remembers everything that went wrong in it. */
export async function openWindow(browser, farm, options = {}) {
  const context = await browser.newContext({ baseURL: farm.url, viewport: { width: 1280, height: 860 }, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(PATIENCE_MILLIS);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: farm.url });
  if (process.env.SEGENC_PAGE_DIST) await serveFromDisk(context, farm);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // Answers that are errors are part of some tests; what the page itself says is not.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(farm.url) && !request.url().startsWith('data:')) faults.push(`asked another host: ${request.url()}`);
  });
  return { context, page, faults };
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** All violations that axe can find. Its own code needs a way past the page's policy. */
export function violations(page) {
  return page.evaluate(`(async () => {
    if (!window.axe) { ${axe} }
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, help, nodes }) => id + ': ' + help + ' ' + nodes.map(({ target }) => target).join(' '));
  })()`);
}
