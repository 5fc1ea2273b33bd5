// Passkeys: whether they work at this address of the page, and what the browser and its devices are asked.
import { api, Problem, said, type Session } from './api/client';

/** Whether passkeys work here; if not, why, and at which addresses they do. */
export type Here = { works: true; inUse: boolean } | { works: false; why: string; elsewhere: string[]; inUse: boolean };

export async function here(): Promise<Here> {
  const { origins } = await api.passkeyPlaces();
  const own = origins.find(({ origin }) => origin === location.origin);
  const elsewhere = origins.filter((one) => one !== own).map(({ origin }) => origin);
  if (own && window.isSecureContext) {
    if (browserKnows()) return { works: true, inUse: own.in_use };
    return { works: false, why: 'This browser does not know passkeys, or is too old for them.', elsewhere: [], inUse: false };
  }
  const inUse = origins.some((one) => one.in_use);
  const why =
    elsewhere.length > 0
      ? 'Passkeys belong to a name; at this address browsers do not make or take any. They work at'
      : 'Passkeys need this page under a name, with https. Put a proxy with a certificate in front of the server and start ' +
        'it with --behind-proxy --advertise NAME:443: docs/guide/reverse-proxy.md says how.';
  return { works: false, why, elsewhere, inUse };
}

/** Older browsers cannot read what the server sends without much help; they are few. */
function browserKnows(): boolean {
  const known = window.PublicKeyCredential as Partial<typeof PublicKeyCredential> | undefined;
  return known?.parseCreationOptionsFromJSON !== undefined && known.parseRequestOptionsFromJSON !== undefined;
}

/** Has a device make a passkey for who is logged in. */
export async function make(name: string): Promise<void> {
  const { public_key } = await api.askForPasskey({ name });
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(public_key);
  await api.addPasskey({ credential: answered(await navigator.credentials.create({ publicKey })) });
}

/** Asks for one of the passkeys that the browser has for this address. */
export async function logIn(): Promise<Session> {
  return proven({});
}

/** Waits until somebody chooses a passkey among what the browser offers for a field, and no longer than the signal. */
export async function logInByField(signal: AbortSignal): Promise<Session | undefined> {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return undefined;
  if (signal.aborted) return undefined;
  return proven({ mediation: 'conditional', signal });
}

async function proven(how: Pick<CredentialRequestOptions, 'mediation' | 'signal'>): Promise<Session> {
  const { public_key } = await api.askForLogin();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(public_key);
  return api.logIn({ passkey: answered(await navigator.credentials.get({ ...how, publicKey })) });
}

function answered(credential: Credential | null): PublicKeyCredentialJSON {
  if (!(credential instanceof PublicKeyCredential)) throw new Problem('no-passkey', 0, 'the browser gave no passkey');
  return credential.toJSON();
}

/** Errors of browsers are short words for programmers. */
export function saidOfPasskeys(error: unknown): { text: string; hint: string | undefined } {
  if (!(error instanceof DOMException)) return said(error);
  if (/certificate/i.test(error.message)) {
    return {
      text: 'The browser does not trust this page’s certificate, and makes no passkeys for it.',
      hint: 'Put a proxy with a certificate of its own in front: docs/guide/reverse-proxy.md.',
    };
  }
  switch (error.name) {
    case 'NotAllowedError':
      return { text: 'No passkey was chosen, or it took too long.', hint: undefined };
    case 'InvalidStateError':
      return { text: 'This device has a passkey for this server already.', hint: undefined };
    case 'SecurityError':
      return { text: 'The browser makes no passkeys at this address.', hint: error.message };
    default:
      return { text: 'The browser could not do this.', hint: error.message };
  }
}

/** A name to begin with: what a passkey is found by in a list. */
export function thisDevice(): string {
  const { userAgent } = navigator;
  const first = (table: [RegExp, string][]) => table.find(([sign]) => sign.test(userAgent))?.[1];
  const browser = first([[/Edg\//, 'Edge'], [/Firefox\//, 'Firefox'], [/Chrom(e|ium)\//, 'Chrome'], [/Safari\//, 'Safari']]);
  const system = first([[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Mac OS/, 'macOS'], [/Windows/, 'Windows'], [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux']]);
  return [browser, system].filter(Boolean).join(' on ');
}
