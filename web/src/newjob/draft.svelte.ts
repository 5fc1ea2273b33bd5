// A held job beside the form: the server's workers look into the film and plan, nothing else happens until it is
// started. Another wish makes another job and takes the first one back.
import { api, Problem, said, type CreateJob, type Job } from '../api/client';
import { LiveJob } from '../api/job.svelte';

/** After the last change so long nothing is asked: an analysis is work for a worker. */
const SETTLE_MILLIS = 600;

/** What a plan depends on; the rest of a wish can change without another look at the film. */
function keyOf(wish: CreateJob): string {
  const { source, args, output, target_size, segment_seconds, drop_dynamic_hdr } = wish;
  return JSON.stringify([source, args, output?.container, target_size, segment_seconds, drop_dynamic_hdr]);
}

/** What only the making of a job can say. */
const isPlain = (wish: CreateJob): boolean => !wish.output?.path && !wish.name && !wish.priority && !wish.verify;

export class Draft {
  live: LiveJob | undefined = $state.raw();
  error: { text: string; hint: string | undefined } | undefined = $state.raw();
  /** Something is wished of which nothing is known yet. */
  pending = $state(false);
  /** The held job, and what it was planned for. */
  #held: { id: number; key: string } | undefined;
  /** What is wished now; what is held may still be an earlier wish's. */
  #key = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  get job(): Job | undefined {
    return this.live?.job;
  }

  /** Looks into the film with this wish, soon; `undefined`: there is nothing to look into. */
  want(wish: CreateJob | undefined): void {
    const key = wish ? keyOf(wish) : '';
    if (key === this.#key) return;
    clearTimeout(this.#timer);
    this.#key = key;
    this.#turn += 1;
    this.error = undefined;
    this.pending = wish !== undefined;
    if (!wish) this.drop();
    else this.#timer = setTimeout(() => void this.#hold(wish, key, this.#turn), SETTLE_MILLIS);
  }

  async #hold(wish: CreateJob, key: string, turn: number): Promise<void> {
    const output = wish.output?.container ? { container: wish.output.container } : {};
    try {
      const job = await api.createJob({ source: wish.source, ...only(wish), output, draft: true });
      if (turn !== this.#turn) {
        void api.dropJob(job.id);
        return;
      }
      this.drop();
      this.#held = { id: job.id, key };
      this.live = new LiveJob(job.id);
    } catch (caught) {
      if (turn !== this.#turn) return;
      this.drop();
      this.error = said(caught);
    }
    this.pending = false;
  }

  /** Makes the job of this wish: the held one if it is the same, or another. */
  async start(wish: CreateJob): Promise<Job> {
    clearTimeout(this.#timer);
    this.#turn += 1;
    const held = this.#held;
    if (held?.key === keyOf(wish) && isPlain(wish) && this.job?.state === 'held') {
      try {
        const job = await api.steer(held.id, 'resume');
        this.#held = undefined;
        return job;
      } catch (caught) {
        // It was left behind too long, and the server has forgotten it.
        if (!(caught instanceof Problem && caught.status === 404)) throw caught;
      }
    }
    // The new one first: an upload goes when no job uses it any more.
    return api.createJob(wish);
  }

  /** Takes the held job back, if there is one. */
  drop(): void {
    this.live?.close();
    this.live = undefined;
    if (this.#held) void api.dropJob(this.#held.id).catch(() => {});
    this.#held = undefined;
  }

  /** Nobody looks any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#turn += 1;
    this.#key = '';
    this.pending = false;
    this.drop();
  }
}

/** The part of a wish that a plan depends on. */
function only({ args, target_size, segment_seconds, drop_dynamic_hdr }: CreateJob): Partial<CreateJob> {
  const part: Partial<CreateJob> = {};
  if (args) part.args = args;
  if (target_size) part.target_size = target_size;
  if (segment_seconds) part.segment_seconds = segment_seconds;
  if (drop_dynamic_hdr) part.drop_dynamic_hdr = drop_dynamic_hdr;
  return part;
}
