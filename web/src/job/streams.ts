// What is in a source, as people read it. Pure.
import type { Source } from '../api/client';

type Stream = Source['streams'][number];

const rate = (value: number): string => `${Number(value.toFixed(3))} fps`;

/** One line of a stream. */
export function streamLine(stream: Stream): string {
  const parts = [stream.codec || 'unknown'];
  if (stream.width && stream.height) parts.push(`${stream.width} × ${stream.height}`);
  if (stream.frames_per_second && !stream.cover) {
    parts.push(stream.variable_rate ? `variable rate, ${rate(stream.frames_per_second)} on average` : rate(stream.frames_per_second));
  }
  if (stream.interlaced) parts.push('interlaced');
  if (stream.pixel_format) parts.push(stream.pixel_format);
  if (stream.hdr) parts.push('HDR');
  if (stream.dynamic_hdr) parts.push(stream.dynamic_hdr);
  if (stream.cover) parts.push('cover picture');
  if (stream.language && stream.language !== 'und') parts.push(stream.language);
  if (stream.title) parts.push(stream.title);
  return parts.join(' · ');
}

/** Streams that are shown one by one; attachments are counted. */
export const shownStreams = (source: Source): Stream[] => source.streams.filter(({ kind }) => kind !== 'attachment');

export const attachments = (source: Source): number => source.streams.length - shownStreams(source).length;

/** What stands out, in a few words each. */
export function marks(source: Source): string[] {
  const found = new Set<string>();
  for (const stream of source.streams) {
    if (stream.cover) continue;
    if (stream.hdr) found.add('HDR');
    if (stream.dynamic_hdr) found.add(stream.dynamic_hdr);
    if (stream.variable_rate) found.add('Variable frame rate');
    if (stream.interlaced) found.add('Interlaced');
  }
  return [...found];
}
