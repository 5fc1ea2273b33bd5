// A plan as people read it: where the film is cut, and why there. Pure.
import type { Job, Segment, Task } from '../api/client';
import { count, segmentSeconds } from '../format';

/** Why a segment ends where it does; the last one ends with the film. */
export const CUTS: Record<string, string> = {
  scene_keyframe: 'a keyframe at a change of scene',
  scene: 'an ordinary frame at a change of scene',
  keyframe: 'a keyframe',
  frame: 'an ordinary frame, as no keyframe is near',
  end: 'the end of the film',
};

const WORDS: [string, string][] = [
  ['scene_keyframe', 'at changes of scene'],
  ['scene', 'at changes of scene between keyframes'],
  ['keyframe', 'at other keyframes'],
  ['frame', 'at ordinary frames'],
];

export function segmentsOf(tasks: Task[]): Segment[] {
  const found: Segment[] = [];
  for (const task of tasks) if (task.kind === 'segment' && task.segment) found.push(task.segment);
  return found;
}

export const secondsOf = (segment: Segment): number => segmentSeconds(segment.end - segment.start, segment);

/** How often it is cut for which reason. */
export function cutCounts(segments: Segment[]): { cut: string; word: string; number: number }[] {
  const counted = new Map<string, number>();
  for (const { cut } of segments) counted.set(cut, (counted.get(cut) ?? 0) + 1);
  const all = WORDS.map(([cut, word]) => ({ cut, word, number: counted.get(cut) ?? 0 })).filter(({ number }) => number > 0);
  // Where there are no changes of scene, keyframes are no others.
  return all[0]?.cut === 'keyframe' ? [{ ...all[0], word: 'at keyframes' }, ...all.slice(1)] : all;
}

const seconds = (value: number): string => (value < 10 ? value.toFixed(1) : count(Math.round(value)));

/** Number and lengths in one line. */
export function lengths(segments: Segment[]): string {
  const all = segments.map(secondsOf).sort((a, b) => a - b);
  const [shortest, longest] = [all[0] ?? 0, all.at(-1) ?? 0];
  if (all.length === 1) return `1 segment of ${seconds(longest)} s`;
  const each = seconds(shortest) === seconds(longest) ? `${seconds(longest)} s each` : `${seconds(shortest)} to ${seconds(longest)} s each`;
  return `${count(all.length)} segments, ${each}`;
}

/** The plan in a few words, as far as there is one. */
export function planLine(job: Job | undefined, segments: Segment[]): string | undefined {
  if (!job || job.failure) return undefined;
  if (job.whole_because) return 'In one piece, by one worker.';
  if (job.plan_complete) return segments.length > 0 ? `${lengths(segments)}.` : 'Nothing to encode in segments.';
  return undefined;
}
