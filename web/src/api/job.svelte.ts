// One job with its tasks, live.
import type { Job, Task, TaskChanges } from './client';
import { Stream } from './stream.svelte';

export class LiveJob {
  job: Job | undefined = $state.raw();
  /** In the order of the film: analysis, segments, other streams, merge. */
  tasks: Task[] = $state.raw([]);
  /** The tasks were told at least once. */
  known = $state(false);
  skew = $state(0);
  readonly #tasks = new Map<number, Task>();
  readonly #stream: Stream;

  constructor(id: number) {
    this.#stream = new Stream(`/api/jobs/${id}/events?with=tasks`, {
      job: (data) => {
        this.job = data as Job;
      },
      tasks: (data) => this.#take(data as TaskChanges),
    });
  }

  get line() {
    return this.#stream.line;
  }

  get refusals() {
    return this.#stream.refusals;
  }

  close(): void {
    this.#stream.close();
  }

  #take(changes: TaskChanges): void {
    if (changes.complete) this.#tasks.clear();
    const before = this.#tasks.size;
    for (const task of changes.tasks) this.#tasks.set(task.id, task);
    // Tasks do not change places: only new ones have to be put into theirs.
    const isNew = changes.complete || this.#tasks.size !== before;
    this.tasks = isNew
      ? [...this.#tasks.values()].sort(inOrder)
      : this.tasks.map((task) => this.#tasks.get(task.id) ?? task);
    this.skew = changes.now - Date.now();
    this.known = true;
  }
}

/** All that is done with a segment stands together. */
const PLACES: Record<string, number> = {
  analysis: 0, weigh: 1, segment: 2, measure: 2, retake: 2, whole: 3, other_streams: 4, merge: 5,
};

function inOrder(a: Task, b: Task): number {
  const places = (PLACES[a.kind] ?? 9) - (PLACES[b.kind] ?? 9);
  return places || (a.segment?.index ?? 0) - (b.segment?.index ?? 0) || a.id - b.id;
}
