// The film as cells: one for each segment, or one for the whole. Pure.
import type { Attempt, Job, Task } from '../api/client';
import { segmentSeconds } from '../format';

export type CellState = 'done' | 'running' | 'ready' | 'blocked' | 'failed' | 'canceled';

export type Cell = {
  task: Task;
  state: CellState;
  /** Shares of the film's width. */
  from: number;
  to: number;
  /** How much of it is encoded while it runs. */
  filled: number;
  /** Somebody has failed on it. */
  scarred: boolean;
};

const STATES: Record<string, CellState> = {
  done: 'done', running: 'running', ready: 'ready', blocked: 'blocked', failed: 'failed', canceled: 'canceled', aborted: 'canceled',
};

export const cellState = (task: Task): CellState => STATES[task.state] ?? 'blocked';

export const lastAttempt = (task: Task): Attempt | undefined => task.attempts.at(-1);

export const runningAttempt = (task: Task): Attempt | undefined =>
  task.attempts.find((attempt) => attempt.state === 'running');

/** Where the small picture of a task's segment is, once an attempt has succeeded; a whole film is segment 0. */
export function pictureOf(job: number, task: Task): string | undefined {
  const attempt = task.attempts.find(({ state }) => state === 'succeeded');
  if (!attempt || !PICTURED.has(task.kind)) return undefined;
  return `/api/jobs/${job}/segments/${task.segment?.index ?? 0}/thumbnail?of=${task.id}.${attempt.number}`;
}

const PICTURED = new Set(['segment', 'retake', 'whole']);

export const isScarred = (task: Task): boolean =>
  task.attempts.some((attempt) => attempt.state === 'failed' || attempt.state === 'expired');

/** Where the planned part of the film ends, as a share of it: an analysis may still run. */
function plannedShare(job: Job, segments: Task[]): number {
  if (job.plan_complete || !job.duration_millis) return 1;
  const [first, last] = [segments[0]?.segment, segments.at(-1)?.segment];
  if (!first || !last) return 0;
  const seconds = segmentSeconds(last.end - first.start, last);
  return Math.min(1, Math.max(0.01, (seconds * 1000) / job.duration_millis));
}

/** Tasks that measure a segment or make it once more, while they run, by the segment's index. */
function busyBeside(tasks: Task[]): Map<number, Task> {
  const found = new Map<number, Task>();
  for (const task of tasks) {
    if (task.kind !== 'segment' && task.segment && task.state === 'running') found.set(task.segment.index, task);
  }
  return found;
}

export function cells(job: Job, tasks: Task[]): Cell[] {
  const segments = tasks.filter((task) => task.kind === 'segment' && task.segment);
  const busy = busyBeside(tasks);
  const whole = tasks.find((task) => task.kind === 'whole');
  if (whole && (segments.length === 0 || job.whole_because)) {
    const done = runningAttempt(whole)?.frames_done ?? 0;
    const filled = job.progress.frames_planned > 0 ? Math.min(1, done / job.progress.frames_planned) : 0;
    return [{ task: whole, state: cellState(whole), from: 0, to: 1, filled, scarred: isScarred(whole) }];
  }
  const frames = segments.reduce((sum, task) => sum + (task.segment?.frames ?? 0), 0);
  const scale = frames > 0 ? plannedShare(job, segments) / frames : 0;
  let before = 0;
  return segments.map((segment) => {
    const task = (segment.segment && busy.get(segment.segment.index)) ?? segment;
    const own = task.segment?.frames ?? 0;
    const from = before * scale;
    before += own;
    const done = runningAttempt(task)?.frames_done ?? 0;
    const filled = own > 0 ? Math.min(1, done / own) : 0;
    return { task, state: cellState(task), from, to: before * scale, filled, scarred: isScarred(task) };
  });
}
