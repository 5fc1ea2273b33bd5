// A stream of server-sent events that comes back by itself, and says whether it is there.
import { api } from './client';

/** The browser comes back by itself after a cut line, but not after an error; then we do, so much later. */
const AGAIN_AFTER_MILLIS = 3000;

export type Line = 'connecting' | 'open' | 'lost';

type Handlers = Record<string, (data: unknown) => void>;

export class Stream {
  line: Line = $state('connecting');
  /** How often the server did not want to tell: what was asked for may be gone. */
  refusals = $state(0);
  #source: EventSource | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  readonly #url: string;
  readonly #handlers: Handlers;

  constructor(url: string, handlers: Handlers) {
    this.#url = url;
    this.#handlers = handlers;
    this.#open();
  }

  #open(): void {
    const source = new EventSource(this.#url);
    this.#source = source;
    source.onopen = () => {
      this.line = 'open';
    };
    source.onerror = () => {
      this.line = 'lost';
      if (source.readyState !== EventSource.CLOSED) return;
      this.refusals += 1;
      // An error is all that is told of the reason; asking for the session tells strangers to log in.
      void api.server().catch(() => {});
      this.#again = setTimeout(() => this.#open(), AGAIN_AFTER_MILLIS);
    };
    for (const [name, told] of Object.entries(this.#handlers)) {
      source.addEventListener(name, (event) => told(JSON.parse((event as MessageEvent<string>).data)));
    }
  }

  close(): void {
    clearTimeout(this.#again);
    this.#source?.close();
  }
}
