// A file on its way to the server, by tus: it goes on after a cut line, and after the page was left and the same file
// chosen again.
import type { Upload as TusUpload } from 'tus-js-client';

export type UploadState = 'starting' | 'sending' | 'waiting' | 'done' | 'failed';

/** Pauses before it is tried again, in milliseconds; after the last it says so and waits for a person. */
const RETRY_DELAYS = [0, 1000, 3000, 5000, 10_000, 20_000];
/** The speed is that of about so many milliseconds. */
const SPEED_WINDOW = 4000;

export class Upload {
  state: UploadState = $state('starting');
  sent = $state(0);
  /** Bytes a second; 0 as long as nobody knows. */
  speed = $state(0);
  /** Bytes that were there already when this began. */
  resumed = $state(0);
  why = $state('');
  /** The upload's name on the server, once it is complete. */
  id = $state('');
  readonly file: File;
  #tus: TusUpload | undefined;
  #marks: [number, number][] = [];

  constructor(file: File) {
    this.file = file;
    void this.#begin();
  }

  get share(): number {
    return this.file.size > 0 ? this.sent / this.file.size : 0;
  }

  get etaMillis(): number | undefined {
    return this.speed > 0 ? ((this.file.size - this.sent) / this.speed) * 1000 : undefined;
  }

  async #begin(): Promise<void> {
    // Only who uploads needs it, so it does not come with the page.
    const { Upload: Tus } = await import('tus-js-client');
    const tus = new Tus(this.file, {
      endpoint: '/api/uploads',
      retryDelays: RETRY_DELAYS,
      metadata: { filename: this.file.name },
      removeFingerprintOnSuccess: true,
      onProgress: (sent) => this.#moved(sent),
      onShouldRetry: (error) => {
        this.state = 'waiting';
        const status = error.originalResponse?.getStatus() ?? 0;
        // What the server refuses, it refuses again; a conflict only tells that it has other bytes than we think.
        return status === 0 || status >= 500 || status === 408 || status === 409 || status === 423;
      },
      onError: (error) => {
        this.state = 'failed';
        this.why = reason(error);
      },
      onSuccess: () => {
        this.sent = this.file.size;
        this.id = tus.url?.split('/').pop() ?? '';
        this.state = 'done';
      },
    });
    this.#tus = tus;
    const before = await tus.findPreviousUploads();
    const last = before[0];
    if (last) tus.resumeFromPreviousUpload(last);
    tus.start();
  }

  #moved(sent: number): void {
    const now = performance.now();
    if (this.state === 'starting') this.resumed = sent;
    this.state = 'sending';
    this.sent = sent;
    this.#marks.push([now, sent]);
    while (this.#marks.length > 2 && now - (this.#marks[0]?.[0] ?? now) > SPEED_WINDOW) this.#marks.shift();
    const [then, had] = this.#marks[0] ?? [now, sent];
    if (now - then > 500) this.speed = Math.max(0, ((sent - had) / (now - then)) * 1000);
  }

  again(): void {
    this.state = 'starting';
    this.why = '';
    this.#marks = [];
    this.#tus?.start();
  }

  async drop(): Promise<void> {
    await this.#tus?.abort(this.state !== 'done').catch(() => {});
  }
}

function reason(error: Error): string {
  const body = 'originalResponse' in error ? (error.originalResponse as { getBody(): string } | null)?.getBody() : undefined;
  try {
    const told = JSON.parse(body ?? '') as { detail?: string };
    if (told.detail) return told.detail;
  } catch {
    // No problem document: the line broke.
  }
  return 'the connection to the server broke';
}
