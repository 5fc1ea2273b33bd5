// Packs what has been built once and well, so that the server need not do it for every browser.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** What has to arrive before anything is seen, packed. */
const FIRST_LOAD_BYTES_MAX = 200_000;

const dist = fileURLToPath(new URL('../dist', import.meta.url));
let total = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|css|svg|json)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const plain = readFileSync(path);
  const brotli = brotliCompressSync(plain, {
    params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY },
  });
  const gzip = gzipSync(plain, { level: 9 });
  total += gzip.length;
  // Small files would only grow.
  if (brotli.length < plain.length) writeFileSync(`${path}.br`, brotli);
  if (gzip.length < plain.length) writeFileSync(`${path}.gz`, gzip);
}
console.log(`the page is ${total} bytes with gzip`);
if (total > FIRST_LOAD_BYTES_MAX) {
  console.error(`more than the ${FIRST_LOAD_BYTES_MAX} bytes that are allowed`);
  process.exit(1);
}
