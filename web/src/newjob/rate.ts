// How good or how large the film becomes, as words of the options. Pure.

/** Options that say how good the film becomes, for all encoders that are offered. */
const QUALITY = ['-crf', '-crf:v', '-cq', '-cq:v', '-qp', '-qp:v', '-q:v', '-qscale:v', '-global_quality', '-global_quality:v'];
const BITRATE = ['-b:v', '-vb'];
/** What is of use only with a bitrate. */
const BOUNDS = ['-maxrate', '-maxrate:v', '-minrate', '-minrate:v', '-bufsize', '-bufsize:v'];

export type Mode = 'quality' | 'bitrate' | 'size';

/** The first of these options with its value. */
function find(args: string[], names: string[]): [string, string] | undefined {
  const at = args.findIndex((word, index) => names.includes(word) && index + 1 < args.length);
  return at < 0 ? undefined : [args[at] as string, args[at + 1] as string];
}

function without(args: string[], names: string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    if (names.includes(args[index] as string)) index += 1;
    else kept.push(args[index] as string);
  }
  return kept;
}

/** In the place of another of its kind, or at the end. */
function put(args: string[], names: string[], pair: [string, string]): string[] {
  const at = args.findIndex((word) => names.includes(word));
  const rest = without(args, names);
  if (at < 0) return [...rest, ...pair];
  const before = without(args.slice(0, at), names).length;
  return [...rest.slice(0, before), ...pair, ...rest.slice(before)];
}

export const modeOf = (args: string[]): Exclude<Mode, 'size'> => (find(args, BITRATE) ? 'bitrate' : 'quality');

/** The quality that is asked for; lower is better with all of these. */
export const qualityOf = (args: string[]): [string, string] | undefined => find(args, QUALITY);

/** The bitrate in kbit/s. */
export function bitrateOf(args: string[]): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(find(args, BITRATE)?.[1] ?? '');
  if (!found) return undefined;
  const scale = { k: 1, K: 1, m: 1000, M: 1000, '': 0.001 }[found[2] ?? ''] ?? 0.001;
  return Math.round(Number(found[1]) * scale);
}

export function withQuality(args: string[], pair: [string, string]): string[] {
  return put(without(args, [...BITRATE, ...BOUNDS]), QUALITY, pair);
}

export function withBitrate(args: string[], kilobits: number): string[] {
  // Where the quality stood, the bitrate stands.
  const quality = find(args, QUALITY);
  const room = quality ? put(args, QUALITY, ['-b:v', `${kilobits}k`]) : args;
  return put(room, BITRATE, ['-b:v', `${kilobits}k`]);
}

/** For a wished size the options say neither. */
export const withoutRate = (args: string[]): string[] => without(args, [...QUALITY, ...BITRATE, ...BOUNDS]);
