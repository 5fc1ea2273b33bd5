// Numbers as people read them. Pure.
import type { Job, Segment } from './api/client';

const LOCALE = 'en';
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const dayTime = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dateTime = new Intl.DateTimeFormat(LOCALE, {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
});

export const count = (value: number): string => whole.format(value);

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 || rest >= 99.95 ? whole.format(rest) : oneDigit.format(rest)} ${units[unit]}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 9.95 ? oneDigit.format(value) : whole.format(value)} %`;
}

/** Progress is rounded down: 100 % is the end and nothing else. */
export const progressPercent = (share: number): string => `${Math.floor(share * 100)} %`;

export const fps = (value: number): string => `${value >= 99.95 ? whole.format(value) : oneDigit.format(value)} fps`;

export const times = (value: number): string => `${value >= 99.95 ? whole.format(value) : oneDigit.format(value)}×`;

const UNITS: Record<string, number> = { '': 1e6, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 };

/** A size as people write it: 700 MB, 1.4GB, 650 (megabytes). */
export function readBytes(text: string): number | undefined {
  const found = /^\s*(\d+(?:[.,]\d+)?)\s*([kmgt]?i?b?)\s*$/i.exec(text);
  if (!found) return undefined;
  let unit = (found[2] ?? '').toUpperCase();
  if (unit !== '' && !unit.endsWith('B')) unit += 'B';
  const scale = UNITS[unit];
  const value = Number((found[1] ?? '').replace(',', '.'));
  return scale === undefined || value <= 0 ? undefined : Math.round(value * scale);
}

/** A length of time that has passed: 4.2 s, 24 s, 3:07, 1:02:09. */
export function span(millis: number): string {
  if (millis < 9950) return `${oneDigit.format(Math.max(0, millis) / 1000)} s`;
  const seconds = Math.max(0, Math.floor(millis / 1000));
  if (seconds < 60) return `${seconds} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** A length of time to come, no more exact than anybody can know. */
export function about(millis: number): string {
  const seconds = millis / 1000;
  if (seconds < 15) return 'a few seconds';
  if (seconds < 55) return `about ${Math.round(seconds / 10) * 10} s`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${minutes} min`;
  const rounded = Math.round(minutes / 5) * 5;
  const hours = Math.floor(rounded / 60);
  return rounded % 60 === 0 ? `about ${hours} h` : `about ${hours} h ${rounded % 60} min`;
}

/** When: today only the time, else the day too. */
export function moment(at: number, now: number): string {
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  return (sameDay ? dayTime : dateTime).format(at);
}

export function ago(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return moment(at, now);
}

/** Words as one line that a shell would cut into them again. */
export const quoted = (words: string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');

/** A place in the film: 0:04.2, 1:02:07. */
export function filmTime(seconds: number): string {
  const safe = Math.max(0, seconds);
  const hours = Math.floor(safe / 3600);
  const minutes = Math.floor((safe % 3600) / 60);
  const rest = safe % 60;
  if (hours > 0) return `${hours}:${String(minutes).padStart(2, '0')}:${String(Math.floor(rest)).padStart(2, '0')}`;
  const tenths = (Math.floor(rest * 10) / 10).toFixed(1).padStart(4, '0');
  return `${minutes}:${tenths}`;
}

export const segmentSeconds = (ticks: number, segment: Segment): number =>
  (ticks * (segment.timebase[0] as number)) / (segment.timebase[1] as number);

const CONTAINERS: Record<string, string> = { matroska: 'MKV', mp4: 'MP4', webm: 'WebM', mov: 'MOV' };
export const containerName = (name: string): string => CONTAINERS[name] ?? name;

const KINDS: Record<string, string> = {
  analysis: 'Analysis', weigh: 'Weighing copied streams', segment: 'Segment', measure: 'Measuring', retake: 'Retake',
  other_streams: 'Other streams', whole: 'Whole film', merge: 'Merge',
};
export const kindName = (kind: string): string => KINDS[kind] ?? kind;

export type Standing = { word: string; tone: 'idle' | 'busy' | 'good' | 'warn' | 'bad' };

const FINAL = new Set(['completed', 'failed', 'canceled']);
export const isFinal = (job: Job): boolean => FINAL.has(job.state);

/** A job's state in one word. What only waits for its turn is not called busy. */
export function standing(job: Job): Standing {
  switch (job.state) {
    case 'completed':
      return { word: 'Completed', tone: 'good' };
    case 'failed':
      return { word: 'Failed', tone: 'bad' };
    case 'canceled':
      return { word: 'Canceled', tone: 'idle' };
    case 'paused':
      return { word: 'Paused', tone: 'warn' };
    case 'held':
      return { word: job.draft ? 'Draft' : 'Held', tone: 'idle' };
    default:
      if (job.waiting_for) return { word: 'Waiting', tone: 'warn' };
      if (job.progress.running === 0) return { word: 'Queued', tone: 'idle' };
      return { word: job.state.charAt(0).toUpperCase() + job.state.slice(1), tone: 'busy' };
  }
}

/** Since when it is worked on: not while it was a draft. */
export const startOf = (job: Job): number => job.started_at || job.created_at;

/** How long it took, or has taken until now. */
export const took = (job: Job, now: number): string => span((job.ended_at ?? now) - startOf(job));

/** How much of the film is encoded; unknown until the plan is complete. */
export function share(job: Job): number | undefined {
  if (job.state === 'completed') return 1;
  const { frames_done, frames_planned } = job.progress;
  if (!job.plan_complete || frames_planned === 0) return undefined;
  return Math.min(1, frames_done / frames_planned);
}

/** The output's size: known at the end, before that what the finished segments promise. */
export function outputSize(job: Job): { size: number; guessed: boolean } | undefined {
  if (job.output) return { size: job.output.size, guessed: false };
  const { segments_done, segments_planned, bytes_done } = job.progress;
  if (isFinal(job) || !job.plan_complete || bytes_done === 0 || segments_done * 10 < segments_planned) return undefined;
  return { size: (bytes_done / segments_done) * segments_planned, guessed: true };
}

/** Which segment, from when to when, and how many frames. */
export function segmentWords(segment: Segment): string[] {
  const from = filmTime(segmentSeconds(segment.start, segment));
  const to = filmTime(segmentSeconds(segment.end, segment));
  return [`Segment ${count(segment.index + 1)}`, `${from}–${to}`, `${count(segment.frames)} frames`];
}
