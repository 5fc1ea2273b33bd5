// The first day with an empty data folder, by mouse and keyboard alone: log in, add a worker, drop a film, pick a preset,
// watch it, compare, download; then the file against what ffmpeg alone makes of the same film.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, extname, join } from 'node:path';
import { test } from 'node:test';
import { film, openWindow, pictures, program, startBrowser, startFarm } from './farm.mjs';

const PASSWORD = 'correct horse battery';
const SECONDS = 24;
/** As a job is made: exact times (see `README.md`), and kept as it is what the options do not speak of. */
const SINGLE = ['-map', '0', '-fps_mode', 'passthrough', '-enc_time_base', '-1', '-c', 'copy'];

const ffmpeg = (...words) => execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...words], { encoding: 'utf8' });
const framemd5 = (path) => ffmpeg('-i', path, '-map', '0:v', '-fps_mode', 'passthrough', '-f', 'framemd5', '-');
/** Of each frame its time and size, not its picture. */
const times = (path) => framemd5(path).split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(',').slice(0, 5).join());
const packets = (path, kind) => ffmpeg('-i', path, '-map', `0:${kind}`, '-c', 'copy', '-f', 'framemd5', '-');

/** Drags a file from the desktop over the page and lets it fall, as a hand does. */
async function drop(page, path, onto) {
  const box = await onto.boundingBox();
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2, data: { items: [], files: [path], dragOperationsMask: 1 } };
  const session = await page.context().newCDPSession(page);
  for (const type of ['dragEnter', 'dragOver', 'drop']) await session.send('Input.dispatchDragEvent', { type, ...at });
  await session.detach();
}

/** Types the page's own line into a shell, where the program is found by its name. */
function shell(line, folder) {
  const path = `${dirname(program)}${delimiter}${process.env.PATH}`;
  const ends = new AbortController();
  const child = spawn('sh', ['-c', `exec ${line}`], {
    stdio: 'ignore', signal: ends.signal, cwd: folder, env: { ...process.env, PATH: path, HOME: folder, XDG_DATA_HOME: folder, XDG_CACHE_HOME: folder },
  });
  child.on('error', () => {});
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return { ended, end: () => ends.abort() };
}

test('the first day, by mouse and keyboard alone', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'segenc-first-day-'));
  const source = join(folder, 'Summer.mp4');
  film(source, { seconds: SECONDS });
  const farm = await startFarm({ workers: 0 });
  const browser = await startBrowser();
  const { page, faults } = await openWindow(browser, farm);
  const shot = (name) => page.screenshot({ path: join(pictures, `first-day-${name}.png`) });
  const button = (name) => page.getByRole('button', { name, exact: true });
  const go = (name) => page.getByRole('navigation').getByRole('link', { name }).first().click();
  let worker;
  context.after(async () => {
    await shot('end').catch(() => {});
    await browser.close();
    worker?.end();
    await worker?.ended;
    await farm.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  await page.goto(farm.link);
  await page.getByLabel('New password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
  await shot('1-empty');

  await go('Workers');
  await button('Add a worker').first().click();
  await button('Copy').click();
  await shot('2-add-a-worker');
  worker = shell(await page.evaluate(() => navigator.clipboard.readText()), folder);
  await page.keyboard.press('Escape');
  await page.getByText('1 of 1 online').waitFor();
  await shot('3-worker');

  /** Makes a job of the film that is dropped, and answers where its file was saved. */
  const encode = async (preset, name) => {
    await go('Jobs');
    await page.getByRole('link', { name: 'New job' }).first().click();
    await button('On this computer').click();
    await drop(page, source, page.locator('.drop'));
    await page.getByRole('radio', { name: preset }).check();
    await page.getByText(/^Good: /).waitFor();
    await page.getByText(/segments, .* s each/).first().waitFor();
    await shot(`4-${name}-new-job`);
    await page.getByRole('button', { name: /^Start/ }).click();
    await page.waitForURL(/\/jobs\/\d+$/);
    await page.locator('.title .badge', { hasText: 'Transcoding' }).waitFor();
    await shot(`5-${name}-running`);
    await page.locator('.title .badge', { hasText: 'Completed' }).waitFor();
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).first().click()]);
    const path = join(folder, `${name}-${saved.suggestedFilename()}`);
    await saved.saveAs(path);
    return path;
  };

  /** What ffmpeg alone makes of the film with the preset's options, as the page shows them. */
  const single = async (made, encoder) => {
    const shown = await page.evaluate(async () => (await (await fetch(location.pathname.replace('/jobs/', '/api/jobs/'))).json()).args);
    const path = join(folder, `single-${encoder}${extname(made)}`);
    ffmpeg('-i', source, ...SINGLE, ...shown, path);
    return path;
  };

  const small = await encode(/^H\.264 for every device/, 'devices');
  await button('Play and compare').click();
  await button('Compare with the source').click();
  const edge = page.getByRole('slider', { name: 'Place of the edge between source and result' });
  await edge.focus();
  for (let step = 0; step < 5; step += 1) await page.keyboard.press('ArrowLeft');
  await button('+1 frame').click();
  await page.waitForFunction(() => [...document.querySelectorAll('video')].length === 2
    && [...document.querySelectorAll('video')].every((video) => !video.seeking && video.readyState >= 2 && video.currentTime > 0));
  await page.locator('.play').evaluate((part) => part.scrollIntoView({ block: 'end' }));
  await shot('6-compare');
  const plain = await single(small, 'h264');
  assert.equal(times(small).length, SECONDS * 25);
  assert.deepEqual(times(small), times(plain), 'every frame at its time');
  assert.equal(packets(small, 'a'), packets(plain, 'a'), 'the same sound');

  const exact = await encode(/^Lossless/, 'lossless');
  await shot('7-done');
  assert.equal(framemd5(exact), framemd5(await single(exact, 'ffv1')), 'frame by frame what ffmpeg alone makes');
  assert.deepEqual(faults, []);
});
