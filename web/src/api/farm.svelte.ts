// All jobs and workers, live, as long as a page wants them.
import type { Changes, Job, Worker } from './client';
import { Stream } from './stream.svelte';

export class Farm {
  jobs: Job[] = $state.raw([]);
  workers: Worker[] = $state.raw([]);
  /** Everything was told at least once. */
  known = $state(false);
  olderJobs = $state(false);
  /** The server's clock minus ours. */
  skew = $state(0);
  readonly #jobs = new Map<number, Job>();
  readonly #workers = new Map<number, Worker>();
  readonly #stream: Stream;

  constructor() {
    this.#stream = new Stream('/api/events', { changes: (data) => this.#take(data as Changes) });
  }

  get line() {
    return this.#stream.line;
  }

  close(): void {
    this.#stream.close();
  }

  #take(changes: Changes): void {
    if (changes.complete) {
      this.#jobs.clear();
      this.#workers.clear();
    }
    for (const job of changes.jobs) this.#jobs.set(job.id, job);
    for (const id of changes.gone_jobs) this.#jobs.delete(id);
    for (const worker of changes.workers) this.#workers.set(worker.id, worker);
    for (const id of changes.gone_workers) this.#workers.delete(id);
    if (changes.complete || changes.jobs.length > 0 || changes.gone_jobs.length > 0) {
      this.jobs = [...this.#jobs.values()].sort((a, b) => b.id - a.id);
    }
    if (changes.complete || changes.workers.length > 0 || changes.gone_workers.length > 0) {
      this.workers = [...this.#workers.values()].sort((a, b) => a.id - b.id);
    }
    this.olderJobs = changes.older_jobs;
    this.skew = changes.now - Date.now();
    this.known = true;
  }
}
