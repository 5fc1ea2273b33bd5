// A large farm as its streams tell of it: 5,000 segments, 1,000 jobs, 50 workers. Told by a small server of our own,
// which serves the built page too, so that nothing else takes part.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const SEGMENTS = 5000;
export const JOBS = 1000;
export const WORKERS = 50;
/** The one job that is followed closely. */
export const JOB = 1000;
const ACTIVE_JOBS = 10;
/** As the real server paces its streams. */
export const TASKS_EVERY_MILLIS = 250;
export const CHANGES_EVERY_MILLIS = 500;

const dist = process.env.SEGENC_PAGE_DIST ?? fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };

const begin = Date.now() - 3_600_000;

function job(id) {
  const active = id > JOBS - ACTIVE_JOBS;
  const done = active ? SEGMENTS / 2 : SEGMENTS;
  return {
    id, name: `Film ${id}.mkv`, state: active ? 'transcoding' : 'completed', draft: false, source_name: `Film ${id}.mkv`, source_size: 40e9,
    container: 'matroska', encoder: 'libx265', args: ['-c:v', 'libx265', '-crf', '22'], priority: 0, created_at: begin + id,
    ended_at: active ? null : begin + 1_800_000, plan_complete: true, duration_millis: SEGMENTS * 4000,
    output: active ? null : { size: 9e9, sha256: '00' },
    progress: {
      frames_done: done * 100, frames_planned: SEGMENTS * 100, segments_done: done, segments_planned: SEGMENTS,
      running: active ? WORKERS / ACTIVE_JOBS : 0, frames_per_second: active ? 125 : 0, times_real_time: active ? 5 : null,
      bytes_done: done * 8e5, eta_millis: active ? 3_600_000 : null,
    },
  };
}

function worker(id) {
  return {
    id, name: `rack-${id}`, state: 'active', online: true, version: '0.1.0', slots: 1, cores: 16, memory_bytes: 64e9, encoders: ['libx264', 'libx265'],
    ffmpeg_version: '7.1', platform: 'linux x86_64', running: 1, succeeded: id * 50, failed: 0, bytes_fetched: id * 1e9, source_bytes_fetched: id * 1e9,
    bytes_delivered: id * 1e8, last_seen_at: Date.now(),
    work: [{ job: JOB, job_name: `Film ${JOB}.mkv`, task: id, kind: 'segment', segment: id, started_at: begin, frames_per_second: 25 }],
  };
}

/** The tasks of the one job, which go on: each turn one segment ends and another begins. */
class Film {
  constructor() {
    this.next = SEGMENTS / 2;
    this.tasks = Array.from({ length: SEGMENTS }, (_, index) => ({
      id: index + 1, kind: 'segment', state: 'ready', attempts: [],
      segment: { index, start: index * 4000, end: (index + 1) * 4000, frames: 100, timebase: [1, 1000], cut: index % 9 === 0 ? 'keyframe' : 'scene_keyframe' },
    }));
    for (let index = 0; index < this.next; index += 1) this.end(index, begin + Math.floor(index / WORKERS) * 60_000, 59_000);
    this.running = [];
    for (let worker = 1; worker <= WORKERS; worker += 1) this.start(worker);
  }

  end(index, started_at, took) {
    const attempt = this.tasks[index].attempts[0] ?? { number: 1, worker: (index % WORKERS) + 1, worker_name: `rack-${(index % WORKERS) + 1}`, started_at };
    this.tasks[index] = {
      ...this.tasks[index], state: 'done',
      attempts: [{ ...attempt, state: 'succeeded', ended_at: took ? attempt.started_at + took : Date.now(), frames_done: 100, frames_per_second: 0, output_size: 8e5 }],
    };
  }

  start(worker) {
    if (this.next >= SEGMENTS) this.next = 0;
    const index = this.next++;
    this.tasks[index] = {
      ...this.tasks[index], state: 'running',
      attempts: [{ number: 1, worker, worker_name: `rack-${worker}`, state: 'running', started_at: Date.now(), ended_at: null, frames_done: 0, frames_per_second: 25, output_size: null }],
    };
    this.running.push(index);
  }

  /** What has changed in a turn. */
  turn() {
    const ended = this.running.shift();
    this.end(ended, begin);
    this.start(this.tasks[ended].attempts[0].worker);
    for (const index of this.running) {
      const [attempt] = this.tasks[index].attempts;
      this.tasks[index] = { ...this.tasks[index], attempts: [{ ...attempt, frames_done: Math.min(100, attempt.frames_done + 2) }] };
    }
    return [ended, ...this.running].map((index) => this.tasks[index]);
  }
}

/** Starts it; `speed` is how much faster than the real server it tells. */
export async function startLargeFarm() {
  const film = new Film();
  const jobs = Array.from({ length: JOBS }, (_, index) => job(JOBS - index));
  const workers = Array.from({ length: WORKERS }, (_, index) => worker(index + 1));
  const picture = execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=160x90', '-frames:v', '1', '-f', 'image2pipe', '-c:v', 'mjpeg', '-']);
  const state = { speed: 1, told: 0 };

  function stream(response, first, every, next) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const tell = ([name, data]) => response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    first.forEach(tell);
    let timer;
    const again = () => {
      state.told += 1;
      next().forEach(tell);
      timer = setTimeout(again, every / state.speed);
    };
    timer = setTimeout(again, every / state.speed);
    response.on('close', () => clearTimeout(timer));
  }

  const changes = (more) => ['changes', { complete: false, now: Date.now(), jobs: [], workers: [], gone_jobs: [], gone_workers: [], older_jobs: false, ...more }];
  let turns = 0;
  const moved = (list) => list.map((one) => ({ ...one, progress: { ...one.progress, frames_done: one.progress.frames_done + turns, frames_per_second: 100 + (turns % 50) } }));
  const answers = {
    '/api/session': () => ({ role: 'operator', operator_password: true, viewer_password: false }),
    '/api/server': () => ({ version: '0.1.0', role: 'operator', free_bytes: 1e12 }),
    '/api/workers': () => workers,
    '/api/presets': () => [],
    [`/api/jobs/${JOB}`]: () => jobs[0],
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    if (path === '/api/events') {
      return stream(response, [changes({ complete: true, jobs, workers })], CHANGES_EVERY_MILLIS, () => {
        turns += 1;
        const at = turns % WORKERS;
        return [changes({ jobs: moved(jobs.slice(0, ACTIVE_JOBS)), workers: [{ ...workers[at], bytes_fetched: workers[at].bytes_fetched + turns * 1000 }] })];
      });
    }
    if (path === `/api/jobs/${JOB}/events`) {
      const all = ['tasks', { complete: true, now: Date.now(), tasks: film.tasks }];
      return stream(response, [['job', jobs[0]], all], TASKS_EVERY_MILLIS, () => {
        turns += 1;
        return [['job', moved([jobs[0]])[0]], ['tasks', { complete: false, now: Date.now(), tasks: film.turn() }]];
      });
    }
    if (path.endsWith('/thumbnail')) {
      response.writeHead(200, { 'content-type': 'image/jpeg', 'cache-control': 'max-age=60' });
      return response.end(picture);
    }
    if (path.startsWith('/api/')) {
      const answer = answers[path]?.();
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
      return response.end(JSON.stringify(answer ?? { type: 'not-found', title: 'not found', status: 404 }));
    }
    const file = join(dist, path);
    const found = path !== '/' && existsSync(file) ? file : join(dist, 'index.html');
    response.writeHead(200, { 'content-type': TYPES[extname(found)] ?? 'application/octet-stream' });
    return response.end(readFileSync(found));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
