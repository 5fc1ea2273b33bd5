// How the page bears a large farm: frames a second while it is scrolled and events pour in, and memory over time.
// `npm run scale` prints; `npm run scale -- --write` puts the figures into docs/benchmarks.md. `--minutes 10` looks at memory
// for so long, for each of the two pages; `--runs 3` takes the best frame rates of so many runs, where a machine has more
// to do than this.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openWindow, startBrowser } from '../tests/farm.mjs';
import { JOB, JOBS, SEGMENTS, startLargeFarm, WORKERS } from './large.mjs';

const FRAMES_MILLIS = 8000;
/** Told so much faster, a minute is half an hour of the real server. */
const FAST = 10;
const FAST_MILLIS = 60_000 * argument('--minutes', 1);
const RUNS = argument('--runs', 1);
const HEAP_SAMPLES = 4;
const report = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

function argument(name, otherwise) {
  const at = process.argv.indexOf(name);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!(value > 0)) throw new Error(`${name} needs a number`);
  return value;
}

/** Counts frames for a while; scrolls the whole page down and up again if that is wished. */
function frames({ millis, scroll }) {
  return new Promise((resolve) => {
    const begin = performance.now();
    const gaps = [];
    let before = begin;
    const next = (now) => {
      gaps.push(now - before);
      before = now;
      const share = (now - begin) / millis;
      const high = document.scrollingElement.scrollHeight - innerHeight;
      // Twice down and up: a triangle in time.
      if (scroll) scrollTo(0, high * (1 - Math.abs(((share * 4) % 2) - 1)));
      if (now - begin < millis) return requestAnimationFrame(next);
      gaps.sort((a, b) => a - b);
      resolve({
        perSecond: (gaps.length * 1000) / (now - begin),
        late: gaps[Math.floor(gaps.length * 0.99)],
        worst: gaps.at(-1),
      });
    };
    requestAnimationFrame((now) => {
      before = now;
      requestAnimationFrame(next);
    });
  });
}

const number = (value) => value.toFixed(value < 10 ? 1 : 0);

async function heap(session) {
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const found = (name) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return { megabytes: found('JSHeapUsedSize') / 1e6, nodes: found('Nodes') };
}

/** Milliseconds that the page's own thread has worked. */
async function worked(session) {
  const { metrics } = await session.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000;
}

async function measure(browser, farm, path, mark) {
  const { context, page, faults } = await openWindow(browser, farm);
  const begin = performance.now();
  await page.goto(path);
  await page.getByText(mark, { exact: true }).first().waitFor();
  const shown = performance.now() - begin;
  const session = await context.newCDPSession(page);
  // Its own processor time, whatever else the machine has to do.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  farm.state.speed = 1;
  const best = async (scroll) => {
    const runs = [];
    for (let run = 0; run < RUNS; run += 1) {
      const before = await worked(session);
      const counted = await page.evaluate(frames, { millis: FRAMES_MILLIS, scroll });
      const perFrame = ((await worked(session)) - before) / ((counted.perSecond * FRAMES_MILLIS) / 1000);
      runs.push({ ...counted, perFrame });
    }
    return runs.reduce((one, other) => (other.perSecond > one.perSecond ? other : one));
  };
  const still = await best(false);
  const scrolling = await best(true);
  farm.state.speed = FAST;
  const heaps = [await heap(session)];
  for (let sample = 0; sample < HEAP_SAMPLES; sample += 1) {
    await page.waitForTimeout(FAST_MILLIS / HEAP_SAMPLES);
    heaps.push(await heap(session));
  }
  const flooded = await best(true);
  farm.state.speed = 1;
  if (faults.length > 0) throw new Error(faults.join('\n'));
  await context.close();
  return { path, shown, still, scrolling, flooded, heaps };
}

const farm = await startLargeFarm();
const browser = await startBrowser();
const rows = [];
try {
  rows.push(['a job', await measure(browser, farm, `/jobs/${JOB}`, `Film ${JOB}.mkv`)]);
  rows.push(['the list', await measure(browser, farm, '/jobs', `Film ${JOBS}.mkv`)]);
} finally {
  await browser.close();
  farm.stop();
}

const cell = ({ perSecond, late, worst, perFrame }) => `${number(perSecond)} (${number(late)}, ${number(worst)}; ${number(perFrame)} ms)`;
const lines = [
  `A job of ${SEGMENTS.toLocaleString('en')} segments, a list of ${JOBS.toLocaleString('en')} jobs, ${WORKERS} workers; Chromium without a screen, drawing by processor, 2 cores${RUNS > 1 ? `; the best of ${RUNS} runs` : ''}.`,
  '',
  `| page | events, nothing moved | events, scrolling | ten times the events, scrolling | heap at first, then after each quarter of ${FAST_MILLIS / 60_000} min of that | elements |`,
  '|---|---|---|---|---|---|',
  ...rows.map(([name, { still, scrolling, flooded, heaps }]) =>
    `| ${name} | ${cell(still)} | ${cell(scrolling)} | ${cell(flooded)} | ${heaps.map(({ megabytes }) => number(megabytes)).join(', ')} MB | ${heaps.at(-1).nodes} |`),
];
console.log(lines.join('\n'));
for (const [name, { shown }] of rows) console.log(`${name}: shown after ${number(shown)} ms`);
if (process.argv.includes('--write')) {
  const text = readFileSync(report, 'utf8');
  const [start, end] = ['<!-- page: begin -->', '<!-- page: end -->'];
  const from = text.indexOf(start) + start.length;
  const to = text.indexOf(end);
  if (to < from) throw new Error(`${report} has no markers for the page`);
  writeFileSync(report, `${text.slice(0, from)}\n${lines.join('\n')}\n${text.slice(to)}`);
}
