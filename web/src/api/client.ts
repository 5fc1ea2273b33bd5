// Calls to the server: the public interface, with the types that are made from its own description.
import type { components } from './schema';

type Schemas = components['schemas'];
export type Job = Schemas['JobView'];
export type Task = Schemas['TaskView'];
export type Attempt = Schemas['AttemptView'];
export type Worker = Schemas['WorkerView'];
export type Segment = Schemas['SegmentView'];
export type Report = Schemas['ReportView'];
export type Session = Schemas['SessionView'];
export type Server = Schemas['ServerView'];
export type MediaListing = Schemas['MediaListing'];
export type OptionsChecked = Schemas['OptionsChecked'];
export type Changes = Schemas['Changes'];
export type TaskChanges = Schemas['TaskChanges'];
export type Source = Schemas['SourceView'];
export type CreateJob = Schemas['CreateJob'];
export type Preset = Schemas['PresetView'];
export type Token = Schemas['TokenView'];
export type WatchFolder = Schemas['WatchFolder'];
export type WatchFolderView = Schemas['WatchFolderView'];
export type WatchedFile = Schemas['WatchedFileView'];
export type Notification = Schemas['NotificationView'];
export type NotificationEvent = Schemas['NotificationEvent'];
export type CreateNotification = Schemas['CreateNotification'];
export type Pairing = Schemas['PairingView'];
export type Join = Schemas['JoinView'];
export type Passkey = Schemas['PasskeyView'];
export type PasskeyPlaces = Schemas['PasskeyPlaces'];

/** What the server did not do, and why. */
export class Problem extends Error {
  readonly kind: string;
  readonly status: number;
  readonly hint: string | undefined;

  constructor(kind: string, status: number, detail: string, hint?: string) {
    super(detail);
    this.kind = kind;
    this.status = status;
    this.hint = hint;
  }
}

/** Told when the server no longer knows who we are. */
let onStranger: () => void = () => {};

export function whenStranger(told: () => void): void {
  onStranger = told;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

async function send(method: Method, path: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method, headers: { accept: 'application/json' } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, 'content-type': 'application/json' };
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Problem('unreachable', 0, 'the server does not answer', 'is it running, and this computer online?');
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && path !== '/api/session' && !path.startsWith('/api/session/')) onStranger();
  throw problem;
}

async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  try {
    const told = (await response.json()) as Schemas['Problem'];
    return new Problem(told.type, status, told.detail || told.title, told.hint ?? undefined);
  } catch {
    return new Problem('unknown', status, `the server answered ${status}`);
  }
}

async function json<T>(method: Method, path: string, body?: unknown): Promise<T> {
  return (await send(method, path, body)).json() as Promise<T>;
}

/** What the browser is to hand to its devices. */
type Challenge<Options> = { public_key: Options };

export type JobVerb = 'cancel' | 'pause' | 'resume' | 'retry';
export type WorkerVerb = 'drain' | 'pause' | 'resume' | 'release';

export const api = {
  session: () => json<Session>('GET', '/api/session'),
  logIn: (login: { code: string } | { secret: string } | { passkey: unknown }) => json<Session>('POST', '/api/session', login),
  logOut: () => send('DELETE', '/api/session'),
  setPassword: (wish: { role: 'operator' | 'viewer'; password?: string; current?: string }) =>
    json<Session>('PUT', '/api/session/password', wish),
  passkeys: () => json<Passkey[]>('GET', '/api/passkeys'),
  askForPasskey: (wish: { name: string }) => json<Challenge<PublicKeyCredentialCreationOptionsJSON>>('POST', '/api/passkeys/registration', wish),
  addPasskey: (wish: { credential: unknown }) => json<Passkey>('POST', '/api/passkeys', wish),
  removePasskey: (id: string) => send('DELETE', `/api/passkeys/${id}`),
  passkeyPlaces: () => json<PasskeyPlaces>('GET', '/api/passkeys/login'),
  askForLogin: () => json<Challenge<PublicKeyCredentialRequestOptionsJSON>>('POST', '/api/passkeys/login'),
  server: () => json<Server>('GET', '/api/server'),
  job: (id: number) => json<Job>('GET', `/api/jobs/${id}`),
  task: (job: number, task: number) => json<Task>('GET', `/api/jobs/${job}/tasks/${task}`),
  report: (id: number) => json<Report>('GET', `/api/jobs/${id}/report`),
  source: (id: number) => json<Source>('GET', `/api/jobs/${id}/source/streams`),
  steer: (id: number, verb: JobVerb) => json<Job>('POST', `/api/jobs/${id}/${verb}`),
  deleteJob: (id: number) => send('DELETE', `/api/jobs/${id}`),
  createJob: (wish: CreateJob) => json<Job>('POST', '/api/jobs', wish),
  steerWorker: (id: number, verb: WorkerVerb) => json<Worker>('POST', `/api/workers/${id}/${verb}`),
  removeWorker: (id: number) => send('DELETE', `/api/workers/${id}`),
  workers: () => json<Worker[]>('GET', '/api/workers'),
  tokens: () => json<Token[]>('GET', '/api/tokens'),
  makeToken: (wish: { role: 'operator' | 'viewer'; label: string }) =>
    json<Schemas['NewTokenView']>('POST', '/api/tokens', wish),
  deleteToken: (id: string) => send('DELETE', `/api/tokens/${id}`),
  presets: () => json<Preset[]>('GET', '/api/presets'),
  writePreset: (name: string, wish: Schemas['WritePreset']) =>
    json<Preset>('PUT', `/api/presets/${encodeURIComponent(name)}`, wish),
  deletePreset: (name: string) => send('DELETE', `/api/presets/${encodeURIComponent(name)}`),
  watchFolders: () => json<WatchFolderView[]>('GET', '/api/watch-folders'),
  putWatchFolder: (name: string, wish: WatchFolder) =>
    json<WatchFolderView>('PUT', `/api/watch-folders/${encodeURIComponent(name)}`, wish),
  deleteWatchFolder: (name: string) => send('DELETE', `/api/watch-folders/${encodeURIComponent(name)}`),
  steerWatchFolder: (name: string, verb: 'scan' | 'retry') =>
    send('POST', `/api/watch-folders/${encodeURIComponent(name)}/${verb}`),
  watchedFiles: (name: string) =>
    json<{ items: WatchedFile[]; next?: string | null }>('GET', `/api/watch-folders/${encodeURIComponent(name)}/files?limit=200`),
  notifications: () => json<Notification[]>('GET', '/api/notifications'),
  makeNotification: (wish: CreateNotification) => json<Notification>('POST', '/api/notifications', wish),
  deleteNotification: (id: string) => send('DELETE', `/api/notifications/${encodeURIComponent(id)}`),
  testNotification: (id: string) => send('POST', `/api/notifications/${encodeURIComponent(id)}/test`),
  openapi: () => json<Description>('GET', '/api/openapi.json'),
  pair: () => json<Pairing>('POST', '/api/workers/pairing'),
  join: () => json<Join>('GET', '/api/workers/join'),
  media: (path: string | null) =>
    json<MediaListing>('GET', path === null ? '/api/media' : `/api/media?path=${encodeURIComponent(path)}`),
  /** Also while the page goes away. */
  dropJob: (id: number) => fetch(`/api/jobs/${id}`, { method: 'DELETE', keepalive: true }),
  checkOptions: (wish: { text: string; container: string; output_name?: string; target_size?: number }) =>
    json<OptionsChecked>('POST', '/api/options/check', wish),
};

/** As much of the interface's own description as is shown. */
export type Description = {
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, Operation>>;
};
export type Operation = {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string }[];
  requestBody?: { content: Record<string, { schema?: Schema }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>;
};
export type Schema = { $ref?: string; type?: string | string[]; items?: Schema };

/** An error as people read it. */
export function said(error: unknown): { text: string; hint: string | undefined } {
  if (error instanceof Problem) return { text: sentence(error.message), hint: error.hint && sentence(error.hint) };
  return { text: error instanceof Error ? error.message : String(error), hint: undefined };
}

/** The server's clauses begin in lower case; on a page they stand alone. */
export function sentence(clause: string): string {
  return clause.charAt(0).toUpperCase() + clause.slice(1);
}
