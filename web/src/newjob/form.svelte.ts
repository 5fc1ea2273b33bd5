// What a new job is to be: the film, the options and how they were understood, where the result goes. One for all parts
// of the page.
import { api, said, type CreateJob, type OptionsChecked, type Preset, type Worker } from '../api/client';
import { quoted, readBytes } from '../format';
import { Upload } from '../upload.svelte';

/** After the last key so long nothing is asked. */
const CHECK_AFTER_MILLIS = 250;

type ServerFile = { path: string; name: string; size: number };

/** The encoder that a preset asks for, as its options say. */
function encoderOf({ args }: Preset): string | undefined {
  const at = args.findIndex((word) => word === '-c:v' || word === '-vcodec' || word === '-codec:v');
  return at < 0 ? undefined : args[at + 1];
}

export class Form {
  from: 'server' | 'here' = $state('server');
  chosen: ServerFile | undefined = $state();
  upload: Upload | undefined = $state.raw();

  presets: Preset[] = $state.raw([]);
  /** The name of the one that was taken, until something is changed. */
  preset = $state('');
  text = $state('');
  container = $state('mkv');
  checked: OptionsChecked | undefined = $state.raw();
  checking = $state(false);
  /** The options as words: as they were understood last, or as they were just put. */
  options: string[] = $state.raw([]);
  /** Whether those encode a film; what is refused just now does not make the form jump. */
  encodes = $state(true);
  /** A wished size as typed, and whether one is wished. */
  size = $state('');
  sized = $state(false);

  name = $state('');
  place: 'server' | 'folder' = $state('server');
  path = $state('');
  overwrite = $state(false);
  quick = $state(false);
  seconds = $state('');
  priority = $state(0);

  workers: Worker[] = $state.raw([]);
  /** Start as soon as the upload is complete. */
  armed = $state(false);
  error: { text: string; hint: string | undefined } | undefined = $state();

  readonly title = $derived(this.from === 'server' ? this.chosen?.name : this.upload?.file.name);
  readonly target = $derived(this.sized ? readBytes(this.size) : undefined);
  readonly #encoders = $derived(new Set(this.workers.flatMap((worker) => worker.encoders)));
  /** The encoder that no worker has. */
  readonly missing = $derived(this.#isMissing(this.checked?.encoder ?? undefined));
  readonly #understood = $derived(
    this.checked !== undefined && !this.checked.refusal && !this.checking && (!this.sized || this.target !== undefined),
  );
  readonly hasFilm = $derived(this.from === 'server' ? this.chosen !== undefined : this.upload?.state === 'done');
  readonly ready = $derived(
    this.#understood &&
      (this.from === 'server' ? this.chosen !== undefined : this.upload !== undefined && this.upload.state !== 'failed'),
  );
  /** As far as the form is filled in, without what only its last step needs. */
  readonly wish: CreateJob | undefined = $derived(this.#wish());
  #asked = 0;

  /** Asks for what the form offers. */
  load(): void {
    api.presets().then(
      (found) => {
        this.presets = found;
        // What plays nearly everywhere, unless somebody has typed already.
        const first = found.find(({ name }) => name === 'h264') ?? found[0];
        if (this.text === '' && first) this.take(first);
      },
      () => {},
    );
    api.workers().then(
      (found) => (this.workers = found.filter((worker) => worker.online && worker.state === 'active')),
      () => {},
    );
  }

  /** Has the options looked at, soon; call it in an effect, and what it answers when they change. */
  check(): () => void {
    const wish: Parameters<typeof api.checkOptions>[0] = {
      text: this.text, container: this.container, output_name: `output.${this.container}`,
    };
    if (this.target) wish.target_size = this.target;
    this.checking = true;
    // From now on an answer to what stood there before is none.
    const mine = ++this.#asked;
    const timer = setTimeout(() => void this.#check(wish, mine), CHECK_AFTER_MILLIS);
    return () => clearTimeout(timer);
  }

  async #check(wish: Parameters<typeof api.checkOptions>[0], mine: number): Promise<void> {
    try {
      const answer = await api.checkOptions(wish);
      if (mine === this.#asked) {
        this.checked = answer;
        if (!answer.refusal) {
          this.options = answer.args;
          this.encodes = answer.encoder != null;
        }
      }
    } catch (caught) {
      if (mine === this.#asked) this.error = said(caught);
    }
    if (mine === this.#asked) this.checking = false;
  }

  take(wanted: Preset): void {
    this.put(wanted.args);
    this.preset = wanted.name;
    this.sized = false;
  }

  /** Other options, from elsewhere than the keyboard. */
  put(args: string[]): void {
    this.text = quoted(args);
    this.options = args;
    this.preset = '';
  }

  #isMissing(encoder: string | undefined): string | undefined {
    return encoder && this.workers.length > 0 && !this.#encoders.has(encoder) ? encoder : undefined;
  }

  /** The encoder of a preset that no worker has. */
  lacking(preset: Preset): string | undefined {
    const encoder = encoderOf(preset);
    return encoder === 'copy' ? undefined : this.#isMissing(encoder);
  }

  choose(file: ServerFile): void {
    this.chosen = file;
    const folder = file.path.slice(0, file.path.length - file.name.length);
    const stem = file.name.replace(/\.[^.]*$/, '');
    this.path = `${folder}${stem}.segenc.${this.container}`;
  }

  /** The ending follows the container. */
  chooseContainer(container: string): void {
    this.container = container;
    if (/\.(mkv|mp4|webm|mov)$/.test(this.path)) this.path = this.path.replace(/\.[^.]+$/, `.${container}`);
  }

  send(files: FileList | null | undefined): void {
    const file = files?.[0];
    if (!file) return;
    this.from = 'here';
    this.forgetUpload();
    this.upload = new Upload(file);
    this.error = undefined;
  }

  forgetUpload(): void {
    void this.upload?.drop();
    this.upload = undefined;
    this.armed = false;
  }

  #source(): CreateJob['source'] | undefined {
    if (this.from === 'server') return this.chosen && { path: this.chosen.path };
    return this.upload?.state === 'done' ? { upload: this.upload.id } : undefined;
  }

  #wish(): CreateJob | undefined {
    const source = this.#source();
    if (!source || !this.#understood || !this.checked) return undefined;
    const { path, container, overwrite } = this;
    const made: CreateJob = {
      source,
      output: this.place === 'folder' && this.from === 'server' ? { path, container, overwrite } : { container },
      args: this.checked.args,
      priority: this.priority,
    };
    if (this.target) made.target_size = this.target;
    if (this.name.trim()) made.name = this.name.trim();
    if (this.quick) made.verify = 'quick';
    if (this.seconds) made.segment_seconds = Number(this.seconds);
    return made;
  }
}
