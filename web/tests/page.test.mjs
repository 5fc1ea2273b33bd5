// The page in a real browser, on a real server with a real worker and real ffmpeg.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test as plain } from 'node:test';
import { film, openWindow, pictures, startBrowser, startFarm, startLine, violations } from './farm.mjs';

const PASSWORD = 'correct horse battery';
const VIEWERS = 'only looking around';

let failed = false;
/** The tests build on each other: after one that failed, the others have nothing to say. */
function test(name, body) {
  plain(name, async (context) => {
    if (failed) return context.skip('a test before it failed');
    failed = true;
    try {
      await body(context);
      failed = false;
    } finally {
      if (failed) await shot('failed').catch(() => {});
    }
  });
}

let farm;
let browser;
let window;
let page;

before(async () => {
  farm = await startFarm();
  film(join(farm.films, 'Harbour at night.mp4'), { seconds: 8 });
  film(join(farm.films, 'Long walk.mp4'), { seconds: 60, size: '640x360', seed: 3 });
  film(join(farm.films, 'Series', 'Episode 1.mkv'), { seconds: 6, seed: 5 });
  browser = await startBrowser();
  window = await openWindow(browser, farm);
  page = window.page;
});

after(async () => {
  await browser?.close();
  await farm?.stop();
});

const shot = (name, of = page) => of.screenshot({ path: join(pictures, `${name}.png`) });
const button = (name, of = page) => of.getByRole('button', { name, exact: true });
const heading = (name, of = page) => of.getByRole('heading', { name });

async function accessible(where, of = page) {
  assert.deepEqual(await violations(of), [], `axe on ${where}`);
}

async function newJob(name, options, { folder, container } = {}) {
  await page.goto('/new');
  if (folder) await page.getByRole('button', { name: folder }).click();
  await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
  await page.getByLabel('Options, as behind ffmpeg’s inputs').fill(options);
  if (container) await page.getByLabel('Container').selectOption(container);
}

/** Whom the test of the first job has made; drafts before it have taken numbers, too. */
let firstJob = '';

/** What the server knows of jobs, asked as the page asks. */
const jobsThere = () => page.evaluate(async () => (await (await fetch('/api/jobs')).json()).items);

const startIt = async () => {
  await button('Start').click();
  await page.waitForURL(/\/jobs\/\d+$/);
};
const becomes = (word) => page.locator('.title .badge', { hasText: word }).waitFor();

test('the first link lets in once, a password is chosen, and an empty farm says what to do', async () => {
  await page.goto('/jobs');
  await heading('Log in').waitFor();
  await shot('login');
  await accessible('login');
  await page.getByLabel('Password or admin token').fill('a wrong one');
  await button('Log in').click();
  await page.getByRole('alert').getByText('neither a password nor a token').waitFor();

  await page.goto(farm.link);
  await heading('Choose a password').waitFor();
  assert.equal(new URL(page.url()).hash, '', 'the code does not stay in the address');
  await page.getByLabel('New password').fill(PASSWORD);
  await shot('choose-password');
  await accessible('choose password');
  await button('Set password').click();
  await heading('No jobs yet').waitFor();
  await page.getByText('of 1 slot busy on 1 worker').waitFor();
  await shot('jobs-empty');
  await accessible('jobs, empty');

  const other = await openWindow(browser, farm);
  await other.page.goto(farm.link);
  await other.page.getByRole('alert').getByText('This link was used already').waitFor();
  await other.page.getByLabel('Password or admin token').fill(PASSWORD);
  await button('Log in', other.page).click();
  await heading('No jobs yet', other.page).waitFor();
  await button('Log out', other.page).click();
  await heading('Log in', other.page).waitFor();
  await other.context.close();
});

test('a film is looked into and its plan is shown before anything is encoded', async () => {
  await newJob('Long walk', '-c:v libx264 -crf 28 -preset medium -c:a copy', { container: 'mp4' });
  await page.getByText('Good: libx264, cut into segments').waitFor();
  await page.getByText(/^\d+ segments, .* s each$/).waitFor();
  await page.getByText('h264 · 640 × 360 · 25 fps').waitFor();
  const [draft, ...others] = await jobsThere();
  assert.deepEqual([draft.state, draft.draft, draft.progress.segments_done, others], ['held', true, 0, []]);
  const strip = page.getByRole('slider', { name: 'The planned segments' });
  await strip.focus();
  await page.keyboard.press('ArrowRight');
  assert.match(await strip.getAttribute('aria-valuetext'), /^Segment 2 · .* · ends at a keyframe/);
  await page.getByRole('heading', { name: 'What is in it, and the plan' }).scrollIntoViewIfNeeded();
  await shot('new-job-plan');
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(pictures, 'new-job-plan-whole.png'), fullPage: true });
  await accessible('new job, plan');

  // Another wish is another plan; the one before is taken back.
  await button('File size').click();
  await page.getByLabel('Size of the file').fill('2 MB');
  await page.getByText('2.0 MB, met within two per cent').waitFor();
  assert.ok(!(await page.getByLabel('Options, as behind ffmpeg’s inputs').inputValue()).includes('-crf'));
  await page.getByText('Good: libx264').waitFor();
  await page.waitForFunction(async (before) => {
    const { items } = await (await fetch('/api/jobs')).json();
    return items.length === 1 && items[0].id !== before && !items[0].args.includes('-crf');
  }, draft.id);
  await page.locator('button.start:enabled').waitFor();
  await shot('new-job-size');
  await button('Bitrate').click();
  assert.match(await page.getByLabel('Options, as behind ffmpeg’s inputs').inputValue(), /-b:v 4000k/);
  await button('Quality').click();
  assert.match(await page.getByLabel('Options, as behind ffmpeg’s inputs').inputValue(), /-crf 28/);
  // What is no film says so before anybody waits for it.
  writeFileSync(join(farm.films, 'Broken.mp4'), 'no film at all, whatever its name says');
  await page.goto('/new');
  await page.getByRole('button', { name: /^Broken/ }).click();
  await page.getByRole('alert').getByText('source-unreadable').waitFor();
  await shot('new-job-broken');
  await accessible('new job, broken');
  rmSync(join(farm.films, 'Broken.mp4'));
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await heading('No jobs yet').waitFor();
  await page.waitForFunction(async () => (await (await fetch('/api/jobs')).json()).items.length === 0);
});

test('a job started right after its container was changed is the changed one', async () => {
  await newJob('Harbour at night', '-c:v libx264 -crf 30 -preset ultrafast -c:a copy', { container: 'mkv' });
  // What is held now is in MKV, and is held so until the form has been quiet for a while.
  await page.getByText(/^\d+ segments?, .* s each$/).waitFor();
  await page.getByLabel('Container').selectOption('mp4');
  await page.evaluate(async () => {
    const start = document.querySelector('button.start');
    while (start.disabled) await new Promise(requestAnimationFrame);
    start.click();
  });
  await page.waitForURL(/\/jobs\/\d+$/);
  const [{ container }] = await jobsThere();
  assert.equal(container, 'mp4');
  // The held one is taken back.
  await page.waitForFunction(async () => (await (await fetch('/api/jobs')).json()).items.length === 1);
  await becomes('Completed');
  await button('Delete').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(/\/jobs$/);
  await heading('No jobs yet').waitFor();
});

test('a job is made, its options are checked while typing, it is followed live, and its report is shown', async () => {
  await newJob('Harbour at night', '-c:v libx264 -nonsense 3');
  await page.getByText('unknown-option').waitFor();
  assert.ok(await button('Start').isDisabled());
  await shot('new-job-refused');
  await accessible('new job, refused');
  await page.getByLabel('Options, as behind ffmpeg’s inputs').fill('-c:v libx264 -crf 30 -preset medium -c:a copy');
  await page.getByText('Good: libx264, cut into segments').waitFor();
  await page.getByLabel('Container').selectOption('mp4');
  await page.getByText('Good: libx264').waitFor();
  await shot('new-job');
  await accessible('new job');
  await startIt();
  firstJob = new URL(page.url()).pathname;
  await heading('Harbour at night.mp4').waitFor();
  await becomes('Completed');
  await heading('Checked and exact').waitFor();
  await page.getByText('200 of 200 frames').waitFor();
  const strip = page.getByRole('slider', { name: 'The film’s segments'.replace('’', "'") });
  await strip.focus();
  await page.keyboard.press('End');
  assert.match(await strip.getAttribute('aria-valuetext'), /^Segment \d+ · .* · done · by /);
  await shot('job-completed');
  await accessible('job, completed');
  await page.screenshot({ path: join(pictures, 'job-completed-whole.png'), fullPage: true });
  await page.keyboard.press('Enter');
  await heading(/^Segment \d+$/).waitFor();
  await page.getByText('Attempt 1 on').waitFor();
  await shot('task');
  await accessible('task');
  await page.keyboard.press('Escape');

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  assert.equal(download.suggestedFilename(), 'Harbour at night.mp4');
});

test('small pictures come with the segments', async () => {
  await page.goto(firstJob);
  await page.getByRole('list', { name: 'Pictures of the segments' }).locator('img.there').first().waitFor();
  const strip = page.getByRole('slider', { name: 'The film\u0027s segments' });
  await strip.hover({ position: { x: 40, y: 20 } });
  await page.locator('.strip .picture.there').waitFor();
  await shot('job-pictures');
  await accessible('job, pictures');
  const answer = await page.evaluate(async (job) => {
    const got = await fetch(`/api${job}/segments/0/thumbnail`);
    const bytes = new Uint8Array(await got.arrayBuffer());
    return { type: got.headers.get('content-type'), sniff: got.headers.get('x-content-type-options'), size: bytes.length, magic: [...bytes.slice(0, 3)] };
  }, firstJob);
  assert.deepEqual({ ...answer, size: 0 }, { type: 'image/jpeg', sniff: 'nosniff', size: 0, magic: [0xff, 0xd8, 0xff] });
  assert.ok(answer.size > 500 && answer.size <= 20 * 1024, `${answer.size} bytes`);
  await page.goto('/jobs');
  await page.getByRole('table').locator('img.there').first().waitFor();
  await button('Play and compare').waitFor({ state: 'detached' });
  await page.goto(firstJob);
});

test('source and result are compared at the same frame', async () => {
  await button('Play and compare').click();
  await button('Compare with the source').click();
  const edge = page.getByRole('slider', { name: 'Place of the edge between source and result' });
  await edge.waitFor();
  await edge.fill('30');
  for (let step = 0; step < 5; step += 1) await button('+1 frame').click();
  await page.waitForFunction(() => {
    const [result, source] = document.querySelectorAll('video');
    return !result.seeking && !source.seeking && result.currentTime > 0.15 && Math.abs(result.currentTime - source.currentTime) < 0.01;
  });
  await page.locator('.play').evaluate((part) => part.scrollIntoView({ block: 'end' }));
  await shot('compare');
  await accessible('compare');
});

test('what the browser cannot play says why, and is offered to be downloaded', async () => {
  await newJob('Episode 1', '-c:v ffv1 -an', { folder: 'Series', container: 'mkv' });
  await startIt();
  await becomes('Completed');
  await button('Play and compare').click();
  await page.getByText(/This browser (cannot play ffv1 in MKV|does not play MKV files)/).waitFor();
  await page.getByRole('link', { name: 'download it' }).waitFor();
  await page.locator('.play').evaluate((part) => part.scrollIntoView({ block: 'center' }));
  await shot('unplayable');
  await accessible('unplayable');
  await button('Delete').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(/\/jobs$/);
});

test('a running job shows its progress and is canceled, taken up again and deleted', async () => {
  await newJob('Long walk', '-c:v libx264 -crf 20 -preset veryslow');
  await startIt();
  await becomes('Transcoding');
  await page.getByText(/^\d+ attempts? running$/).waitFor();
  await page.locator('.figure', { hasText: /^[1-9]\d* %$/ }).waitFor();
  await page.waitForFunction(() => /fps/.test(document.querySelector('.far')?.textContent ?? ''));
  await shot('job-running');
  await accessible('job, running');
  await page.goto('/jobs');
  await page.getByText('1 running').first().waitFor();
  await shot('jobs');
  await accessible('jobs');
  await page.getByRole('link', { name: 'Long walk.mp4' }).click();
  await button('Cancel').click();
  await becomes('Canceled');
  await button('Retry').click();
  await becomes('Transcoding');
  await button('Pause').click();
  await becomes('Paused');
  await shot('job-paused');
  await button('Cancel').click();
  await becomes('Canceled');
  await button('Delete').click();
  await shot('question');
  await accessible('question');
  const other = await window.context.newPage();
  await other.goto(page.url());
  await heading('Long walk.mp4', other).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(/\/jobs$/);
  await heading(/^There is no job/, other).waitFor();
  await other.close();
  await page.getByRole('link', { name: 'Long walk.mp4' }).waitFor({ state: 'detached' });
});

test('a drained worker takes nothing, and a job that failed goes on by retry', async () => {
  await page.goto('/workers');
  await button('Drain').click();
  await page.getByText('Drained').waitFor();
  const path = join(farm.films, 'Series', 'Episode 1.segenc.mkv');
  await newJob('Episode 1', '-c:v libx264 -crf 30 -preset ultrafast', { folder: 'Series', container: 'mkv' });
  await page.getByLabel('Into a folder of the server').check();
  assert.equal(await page.getByLabel('Path').inputValue(), path);
  await startIt();
  await page.getByText('all workers are offline, draining or taken out').waitFor();
  await shot('job-waiting');
  await accessible('job, waiting');
  // Somebody puts a file there in the meantime.
  writeFileSync(path, 'mine');
  await page.goto('/workers');
  await shot('workers-drained');
  await button('Resume').click();
  await page.goto('/jobs');
  await page.getByRole('link', { name: 'Episode 1.mkv' }).click();
  await becomes('Failed');
  await page.getByRole('alert').getByText('output-exists').waitFor();
  await shot('job-failed');
  await accessible('job, failed');
  assert.equal(readFileSync(path, 'utf8'), 'mine');
  rmSync(path);
  await button('Retry').click();
  await becomes('Completed');
  await page.getByText(path).first().waitFor();
});

test('a dropped film goes on where it was when the line was cut, and so does what is live', async (context) => {
  const bytes = readFileSync(join(farm.films, 'Long walk.mp4'));
  const line = await startLine(farm);
  context.after(() => line.close());
  const far = await openWindow(browser, line, { storageState: await window.context.storageState() });
  const offsets = [];
  far.page.on('request', (request) => {
    if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']));
  });
  await far.page.goto('/new');
  await button('On this computer', far.page).click();
  await shot('new-job-drop', far.page);
  await accessible('new job, drop', far.page);
  line.limit(bytes.length / 3);
  const dropped = await far.page.evaluateHandle((text) => {
    const carried = new DataTransfer();
    const content = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    carried.items.add(new File([content], 'Holiday.mp4', { type: 'video/mp4' }));
    return carried;
  }, bytes.toString('base64'));
  await far.page.dispatchEvent('.drop', 'drop', { dataTransfer: dropped });
  await far.page.waitForFunction(() => Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')) >= 40);
  await shot('uploading', far.page);
  line.cut();
  await far.page.getByText('the line broke').waitFor();
  await accessible('uploading', far.page);
  line.limit(Infinity);
  line.mend();
  await far.page.getByLabel('Options, as behind ffmpeg’s inputs').fill('-c:v libx264 -preset veryslow');
  await far.page.getByText(/^Good: /).waitFor();
  await far.page.getByRole('button', { name: /^Start/ }).click();
  await far.page.waitForURL(/\/jobs\/\d+$/);
  await heading('Holiday.mp4', far.page).waitFor();
  assert.ok(offsets.length >= 2 && offsets.at(-1) > 0, `it went on at ${offsets}`);

  await far.page.locator('.title .badge', { hasText: 'Transcoding' }).waitFor();
  line.cut();
  await far.page.getByText('Connection lost, trying again').waitFor();
  await page.goto(new URL(far.page.url()).pathname);
  await button('Cancel').click();
  await becomes('Canceled');
  line.mend();
  await far.page.locator('.title .badge', { hasText: 'Canceled' }).waitFor();
  await far.page.getByText('Connection lost, trying again').waitFor({ state: 'detached' });
  const faults = far.faults.filter((fault) => !fault.includes('net::ERR'));
  assert.deepEqual(faults, []);
  await far.context.close();
});

test('adding a worker is one line to copy', async () => {
  await page.goto('/workers');
  await page.getByText('1 of 1 online').waitFor();
  await shot('workers');
  await accessible('workers');
  await button('Add a worker').click();
  await button('Copy').click();
  await button('Copied').waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^segenc worker --join 'http:\/\/.+@127\.0\.0\.1:\d+'$/);
  await button('Or with a short code').click();
  assert.match((await page.getByTestId('code').textContent()) ?? '', /^[A-Z0-9]{4}-[A-Z0-9]{4}$/);
  await shot('add-worker');
  await accessible('add a worker');
  await page.keyboard.press('Escape');
});

test('viewers see everything and are offered nothing to change', async () => {
  await page.goto('/settings');
  await heading('Viewers’ password').waitFor();
  await page.getByText('Free room').waitFor();
  await shot('settings');
  await accessible('settings');
  await page.getByLabel('Password', { exact: true }).fill(VIEWERS);
  await button('Set it').click();
  await page.getByText('The viewers’ password is set').waitFor();
  const viewer = await openWindow(browser, farm);
  await viewer.page.goto(firstJob);
  await viewer.page.getByLabel('Password or admin token').fill(VIEWERS);
  await button('Log in', viewer.page).click();
  await heading('Harbour at night.mp4', viewer.page).waitFor();
  await heading('Checked and exact', viewer.page).waitFor();
  for (const name of ['Delete', 'Retry', 'Cancel']) assert.equal(await button(name, viewer.page).count(), 0, name);
  await shot('viewer-job', viewer.page);
  await viewer.page.getByRole('link', { name: 'Workers', exact: true }).click();
  await viewer.page.getByText('1 of 1 online').waitFor();
  assert.equal(await button('Drain', viewer.page).count(), 0);
  await viewer.page.goto('/new');
  await heading('Viewers only look', viewer.page).waitFor();
  await accessible('new job, viewer', viewer.page);
  assert.deepEqual(viewer.faults, []);
  await viewer.context.close();
});

test('an own preset is written, offered and forgotten', async () => {
  await page.goto('/settings');
  await page.getByRole('link', { name: 'Presets' }).click();
  await button('New preset').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('archive');
  await dialog.getByLabel('Title').fill('Kept at home');
  await dialog.getByLabel('What it is for').fill('Small, and good enough to keep.');
  await dialog.getByLabel('Options').fill('-c:v libx264 -nonsense 1');
  await dialog.getByText('unknown-option').waitFor();
  await dialog.getByLabel('Options').fill('-c:v libx264 -crf 26 -preset slow');
  await dialog.getByText('Good: libx264').waitFor();
  await shot('preset');
  await accessible('preset');
  await button('Save').click();
  await page.getByText('Kept at home').waitFor();
  await shot('settings-presets');
  await accessible('settings, presets');
  await page.goto('/new');
  await page.getByLabel('Kept at home').check();
  assert.equal(await page.getByLabel('Options, as behind ffmpeg’s inputs').inputValue(), '-c:v libx264 -crf 26 -preset slow');
  await page.goto('/settings/presets');
  await button('Forget Kept at home').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Forget it' }).click();
  await button('Forget Kept at home').waitFor({ state: 'detached' });
});

test('a folder is watched, and somebody is told', async () => {
  const [incoming, done] = [join(farm.films, 'Incoming'), join(farm.films, 'Done')];
  mkdirSync(incoming);
  mkdirSync(done);
  await page.goto('/settings/watch-folders');
  await heading('No folder is watched').waitFor();
  await shot('watch-folders-empty');
  await accessible('watch folders, empty');
  await button('Watch a folder').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/^Name /).fill('incoming');
  await dialog.getByLabel('Folder that is watched').fill(incoming);
  await dialog.getByLabel('Folder for the results').fill('/nowhere');
  await button('Watch it').click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('Folder for the results').fill(done);
  await dialog.getByLabel('Films in these codecs').fill('h264');
  await dialog.getByText('More', { exact: true }).click();
  await dialog.getByLabel('Seconds without a change').fill('1');
  await shot('watch-folder-form');
  await accessible('watch folder, form');
  await button('Watch it').click();
  await page.getByRole('article', { name: 'incoming' }).waitFor();
  film(join(incoming, 'Already good.mp4'), { seconds: 3 });
  await button('Look now').click();
  // It is taken once it has not changed for a second, looked into, and left as it is.
  await page.waitForFunction(
    async () => {
      await fetch('/api/watch-folders/incoming/scan', { method: 'POST' });
      const [{ skipped }] = await (await fetch('/api/watch-folders')).json();
      return skipped === 1;
    },
    undefined,
    { polling: 500 },
  );
  await page.getByText('left as they are').waitFor();
  await shot('watch-folders');
  await accessible('watch folders');
  await button('Stop watching incoming').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop watching' }).click();
  await heading('No folder is watched').waitFor();

  // A job that a rule ended stays to be looked at; the tests that follow count jobs.
  await page.evaluate(async () => {
    const { items } = await (await fetch('/api/jobs?state=canceled')).json();
    for (const { id, name } of items) if (name === 'Already good.mp4') await fetch(`/api/jobs/${id}`, { method: 'DELETE' });
  });
  await page.getByRole('link', { name: 'Notifications' }).click();
  await heading('Nobody is told').waitFor();
  await button('Tell somebody').click();
  await page.getByLabel('Name', { exact: true }).fill('Our chat');
  await page.getByLabel('Address').fill('http://127.0.0.1:9/hook');
  await shot('notification-form');
  await accessible('notification, form');
  await button('Save').click();
  await page.getByText('Webhook to').waitFor();
  await shot('notifications');
  await accessible('notifications');
  await button('No longer tell Our chat').click();
  await page.getByRole('dialog').getByRole('button', { name: 'No longer' }).click();
  await heading('Nobody is told').waitFor();
});

test('a token for a program is made, works, and is taken away', async () => {
  await page.goto('/settings');
  await page.getByLabel('For what').fill('dashboard');
  await button('Make a token').click();
  const token = await page.getByRole('dialog').locator('pre').textContent();
  await shot('token');
  await accessible('token');
  const asked = () => fetch(`${farm.url}/api/jobs`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await asked()).status, 200);
  await page.keyboard.press('Escape');
  await button('Take away dashboard').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take it away' }).click();
  await button('Take away dashboard').waitFor({ state: 'detached' });
  assert.equal((await asked()).status, 401);
});

test('the interface is described where it is', async () => {
  await page.goto('/settings');
  await page.getByRole('link', { name: 'Reference' }).click();
  await page.getByText('/api/jobs/{id}/cancel').waitFor();
  await shot('interface');
  await accessible('interface');
});

test('several jobs are chosen and deleted at once, and the list is searched and sorted', async () => {
  await page.goto('/jobs');
  await page.getByLabel('Search jobs').fill('episode');
  await page.getByRole('link', { name: 'Harbour at night.mp4' }).waitFor({ state: 'detached' });
  await page.getByLabel('Search jobs').fill('nothing like it');
  await heading('No job fits').waitFor();
  await button('Show all jobs').click();
  await page.getByLabel('Order').selectOption('name');
  const names = await page.getByRole('table').getByRole('link').allTextContents();
  assert.deepEqual(names, ['Episode 1.mkv', 'Harbour at night.mp4', 'Holiday.mp4']);
  await page.getByLabel('Choose Episode 1.mkv').check();
  await page.getByLabel('Choose Holiday.mp4').check();
  await page.getByText('2 chosen').waitFor();
  await shot('jobs-chosen');
  await accessible('jobs, chosen');
  await button('Delete').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('link', { name: 'Holiday.mp4' }).waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('table').getByRole('link').count(), 1);
});

test('it fits a phone, also in the dark', async () => {
  const state = await window.context.storageState();
  const phone = await openWindow(browser, farm, {
    storageState: state, viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'dark',
  });
  const name = (path) => path.replace(firstJob, '/jobs/1').replaceAll('/', '-');
  for (const [path, mark] of [
    ['/jobs', 'Harbour at night.mp4'],
    [firstJob, 'Checked and exact'],
    ['/new', 'Harbour at night.mp4'],
    ['/workers', 'Machine'],
    ['/settings', 'Free room'],
    ['/settings/watch-folders', 'No folder is watched'],
    ['/settings/presets', 'Options under a name'],
    ['/settings/notifications', 'Nobody is told'],
  ]) {
    await phone.page.goto(path);
    await phone.page.getByText(mark).first().waitFor();
    // A phone makes its window wider for what does not fit, so it is not asked for that.
    const wide = await phone.page.evaluate(() => document.scrollingElement.scrollWidth);
    assert.ok(wide <= 390, `${path} is ${wide} wide on a phone of 390`);
    await phone.page.screenshot({ path: join(pictures, `phone${name(path)}.png`) });
    await accessible(`phone ${path}`, phone.page);
  }
  assert.deepEqual(phone.faults, []);
  await phone.context.close();
});

test('the theme follows the system and can be chosen', async () => {
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.goto(firstJob);
  await heading('Checked and exact').waitFor();
  const light = await paper();
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction((was) => getComputedStyle(document.documentElement).backgroundColor !== was, light);
  await shot('dark-job');
  await accessible('dark, job');
  await page.getByRole('button', { name: /^Theme: system/ }).click();
  await page.getByRole('button', { name: /^Theme: light/ }).waitFor();
  assert.equal(await paper(), light);
  await page.reload();
  await heading('Checked and exact').waitFor();
  assert.equal(await paper(), light, 'the choice is kept');
  await page.getByRole('button', { name: /^Theme: light/ }).click();
  for (const [path, mark] of [
    ['/workers', '1 of 1 online'],
    ['/jobs', 'Harbour at night.mp4'],
    ['/new', 'Harbour at night.mp4'],
    ['/settings', 'Free room'],
    ['/settings/presets', 'Options under a name'],
  ]) {
    await page.goto(path);
    await page.getByText(mark).first().waitFor();
    if (path === '/new') {
      await page.getByRole('button', { name: /^Long walk/ }).click();
      await page.getByText(/^\d+ segments, .* s each$/).waitFor();
    }
    await shot(`dark${path.replaceAll('/', '-')}`);
    await accessible(`dark, ${path}`);
  }
  await page.getByRole('button', { name: /^Theme: dark/ }).click();
  await page.emulateMedia({ colorScheme: null });
});

/** A job of so many segments on so many workers as a stream tells of it, about half done. */
function largeJob(segments, workers) {
  const begin = 1_700_000_000_000;
  const job = {
    id: 777, name: 'A very long film.mkv', state: 'transcoding', source_name: 'film.mkv', source_size: 40e9,
    container: 'matroska', encoder: 'libx265', args: ['-c:v', 'libx265'], priority: 0, created_at: begin,
    plan_complete: true, duration_millis: segments * 4000,
    progress: {
      frames_done: segments * 50, frames_planned: segments * 100, segments_done: segments / 2, segments_planned: segments,
      running: workers, frames_per_second: 1250.5, times_real_time: 50.02, bytes_done: 4e9, eta_millis: 3_600_000,
    },
  };
  const tasks = Array.from({ length: segments }, (_, index) => {
    const state = index < segments / 2 ? 'done' : index < segments / 2 + workers ? 'running' : 'ready';
    const started_at = begin + Math.floor(index / workers) * 60_000;
    const attempt = {
      number: 1, worker: (index % workers) + 1, worker_name: `rack-${(index % workers) + 1}`, started_at,
      state: state === 'done' ? 'succeeded' : 'running', ended_at: state === 'done' ? started_at + 59_000 : null,
      frames_done: state === 'done' ? 100 : 40, frames_per_second: state === 'done' ? 0 : 25, output_size: state === 'done' ? 800_000 : null,
    };
    return {
      id: index + 1, kind: 'segment', state, attempts: state === 'ready' ? [] : [attempt],
      segment: { index, start: index * 4000, end: (index + 1) * 4000, frames: 100, timebase: [1, 1000], cut: 'keyframe' },
    };
  });
  return { job, tasks, now: begin + (segments / 2 / workers) * 60_000 };
}

/** Stands in the place of the server's events: the test tells. */
function ownEvents() {
  window.EventSource = class extends EventTarget {
    static CLOSED = 2;
    readyState = 1;
    constructor() {
      super();
      window.tell = (name, data) => this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
      queueMicrotask(() => this.onopen());
    }
    close() {}
  };
}

/** Milliseconds of a frame, on average and at worst, while the page is scrolled and told something ever again. */
function scrolled({ name, pieces, everyMillis }) {
  return new Promise((resolve) => {
    const [frames, begin] = [90, performance.now()];
    let [frame, before, worst, told] = [0, begin, 0, 0];
    const next = (now) => {
      worst = Math.max(worst, now - before);
      before = now;
      frame += 1;
      scrollTo(0, (document.scrollingElement.scrollHeight * frame) / frames);
      if (now - begin > told * everyMillis) window.tell(name, pieces[told++ % pieces.length]);
      if (frame < frames) requestAnimationFrame(next);
      else resolve(`${((now - begin) / frames).toFixed(1)} ms a frame, ${worst.toFixed(0)} at worst`);
    };
    requestAnimationFrame(next);
  });
}

test('five thousand segments and a thousand jobs are no burden', async (context) => {
  const { job, tasks, now } = largeJob(5000, 50);
  const large = await window.context.newPage();
  await large.addInitScript(ownEvents);
  await large.route('**/api/jobs/777', (route) => route.fulfill({ json: job }));
  await large.goto('/jobs/777');
  await large.waitForFunction(() => window.tell !== undefined);
  await large.evaluate(([told, changes]) => {
    window.tell('job', told);
    window.tell('tasks', changes);
  }, [job, { complete: true, now, tasks }]);
  await large.getByText('2,500 done').waitFor();
  assert.ok((await large.getByRole('row').count()) < 100, 'only rows near the window are made, also of a list far below it');
  await shot('job-5000-segments', large);
  const running = tasks.filter(({ state }) => state === 'running');
  const pieces = Array.from({ length: 8 }, (_, turn) => ({
    complete: false, now: now + turn * 250,
    tasks: running.map((task) => ({ ...task, attempts: [{ ...task.attempts[0], frames_done: 40 + turn }] })),
  }));
  context.diagnostic(`5,000 segments: ${await large.evaluate(scrolled, { name: 'tasks', pieces, everyMillis: 250 })}`);
  await large.getByText('Segment 5,000', { exact: true }).waitFor();
  assert.ok((await large.getByRole('row').count()) < 100, 'only rows near the window are made');
  await shot('job-5000-segments-end', large);

  const jobs = Array.from({ length: 1000 }, (_, index) => ({
    ...job, id: index + 1, name: `Film ${index + 1}.mkv`, state: index < 990 ? 'completed' : 'transcoding', ended_at: index < 990 ? now : null,
    output: index < 990 ? { size: 9e9, sha256: '00' } : null,
  })).reverse();
  const nothing = { now, workers: [], gone_jobs: [], gone_workers: [], older_jobs: false };
  await large.goto('/jobs');
  await large.waitForFunction(() => window.tell !== undefined);
  await large.evaluate((changes) => window.tell('changes', changes), { ...nothing, complete: true, jobs });
  await large.getByRole('link', { name: 'Film 1000.mkv' }).waitFor();
  const turns = Array.from({ length: 4 }, (_, turn) => ({
    ...nothing, complete: false,
    jobs: jobs.slice(0, 10).map((one) => ({ ...one, progress: { ...one.progress, frames_done: one.progress.frames_done + turn * 1000 } })),
  }));
  context.diagnostic(`1,000 jobs: ${await large.evaluate(scrolled, { name: 'changes', pieces: turns, everyMillis: 500 })}`);
  await large.getByRole('link', { name: 'Film 1.mkv' }).waitFor();
  assert.ok((await large.getByRole('row').count()) < 60, 'only rows near the window are made');
  await large.evaluate(() => scrollTo(0, 0));
  await large.getByRole('link', { name: 'Film 1000.mkv' }).waitFor();
  await shot('jobs-1000', large);
  await accessible('a thousand jobs', large);
  await large.close();
});

test('a worker is forgotten when that is wished', async () => {
  await page.goto('/workers');
  await page.getByRole('button', { name: /^Remove / }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText(/ is forgotten$/).waitFor();
});

test('nothing went wrong in the page, and it asked no other host', () => {
  assert.deepEqual(window.faults, []);
});
