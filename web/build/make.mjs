// Makes the page into `web/dist`, unless nothing has changed since it was made last.
//
// `node web/build/make.mjs`: what the scripts run before cargo, which then takes `dist` into the binary.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
/** Beside the packages: who deletes them wants everything made anew. */
const note = join(web, 'node_modules', '.page-made-of');

const digestOf = (paths) => {
  const digest = createHash('sha256');
  for (const path of paths) digest.update(`${relative(web, path)}\0`).update(readFileSync(path)).update('\0');
  return digest.digest('hex');
};
const filesIn = (folder) =>
  readdirSync(join(web, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const named = ['package.json', 'package-lock.json', 'index.html', 'vite.config.ts', 'svelte.config.js', 'tsconfig.json'];

const packages = digestOf(['package.json', 'package-lock.json'].map((name) => join(web, name)));
const inputs = digestOf([...named.map((name) => join(web, name)), ...['src', 'public', 'build'].flatMap(filesIn)].sort());
const [oldPackages, oldInputs] = existsSync(note) ? readFileSync(note, 'utf8').split('\n') : [];
if (oldPackages === packages && oldInputs === inputs && existsSync(join(web, 'dist', 'index.html'))) process.exit(0);

// On Windows npm is a script, which only a shell starts; nothing of the line comes from outside.
const npm = (...words) => execFileSync('npm', words, { cwd: web, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
if (oldPackages !== packages) {
  console.error('installing what the page is built with');
  npm('ci', '--no-fund', '--no-audit', '--loglevel=error');
}
npm('run', '--silent', 'build');
writeFileSync(note, `${packages}\n${inputs}`);
