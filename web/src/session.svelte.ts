// Who is logged in here.
import { api, Problem, whenStranger, type Session } from './api/client';
import { router } from './router.svelte';

class Login {
  session: Session | undefined = $state();
  /** The server was asked. */
  asked = $state(false);
  unreachable = $state(false);
  /** Where to go after the login. */
  #wanted = '/jobs';

  constructor() {
    whenStranger(() => this.forget());
  }

  get operator(): boolean {
    return this.session?.role === 'operator';
  }

  async ask(): Promise<void> {
    try {
      this.session = await api.session();
      this.unreachable = false;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.forget();
      else this.unreachable = true;
    }
    this.asked = true;
  }

  forget(): void {
    this.session = undefined;
    if (location.pathname !== '/login') {
      this.#wanted = location.pathname;
      router.replace('/login');
    }
  }

  enter(session: Session): void {
    this.session = session;
  }

  leaveLogin(): void {
    const wanted = this.#wanted === '/' ? '/jobs' : this.#wanted;
    this.#wanted = '/jobs';
    router.replace(wanted);
  }

  async logOut(): Promise<void> {
    await api.logOut();
    this.session = undefined;
    this.#wanted = '/jobs';
    router.go('/login');
  }
}

export const login = new Login();
