// Short messages about what was just done, or could not be.
import { said } from './api/client';

const SHOWN_MILLIS = 6000;
const SHOWN_MAX = 4;

export type Toast = { id: number; tone: 'good' | 'bad'; text: string; hint: string | undefined };

class Toasts {
  list: Toast[] = $state([]);
  #last = 0;

  good(text: string): void {
    this.#show({ id: 0, tone: 'good', text, hint: undefined });
  }

  bad(error: unknown): void {
    const { text, hint } = said(error);
    this.#show({ id: 0, tone: 'bad', text, hint });
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #show(toast: Toast): void {
    const id = ++this.#last;
    // What went well is told by the newest alone.
    const others = this.list.filter(({ tone }) => tone === 'bad');
    this.list = [...others, { ...toast, id }].slice(-SHOWN_MAX);
    // What went wrong stays until it is read.
    if (toast.tone === 'good') setTimeout(() => this.drop(id), SHOWN_MILLIS);
  }
}

export const toasts = new Toasts();
