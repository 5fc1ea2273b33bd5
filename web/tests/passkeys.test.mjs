// Passkeys in a real browser, on devices that are made of nothing but this test's wish.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openWindow, pictures, startBrowser, startFarm, violations } from './farm.mjs';

const PASSWORD = 'correct horse battery';
const VIEWERS = 'only looking around';

let farm;
/** The same server under a name: passkeys belong to one. */
let named;
let browser;

before(async () => {
  farm = await startFarm();
  named = { ...farm, url: farm.url.replace('127.0.0.1', 'localhost') };
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await farm?.stop();
});

const shot = (name, page) => page.screenshot({ path: join(pictures, `${name}.png`) });
const button = (name, page) => page.getByRole('button', { name, exact: true });
const heading = (name, page) => page.getByRole('heading', { name });

async function accessible(where, page) {
  assert.deepEqual(await violations(page), [], `axe on ${where}`);
}

/** Gives the page's browser a device with a finger on it. */
async function device({ context, page }) {
  const line = await context.newCDPSession(page);
  await line.send('WebAuthn.enable');
  const { authenticatorId } = await line.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    keys: async () => (await line.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    put: (credential) => line.send('WebAuthn.addCredential', { authenticatorId, credential }),
    /** A device that is touched all the time would also choose what the browser only offers in a field. */
    touch: (enabled) => line.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled }),
    verify: (isUserVerified) => line.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
  };
}

/** What the page may ask of the server, asked as the page asks. */
const asks = (page, path, body) =>
  page.evaluate(
    async ([path, body]) => {
      const answer = await fetch(path, { method: 'POST', body: JSON.stringify(body) });
      return { status: answer.status, ...(await answer.json()) };
    },
    [path, body],
  );

const role = (page) => page.evaluate(async () => (await (await fetch('/api/session')).json()).role);
const setPassword = (page, wish) =>
  page.evaluate(async (wish) => (await fetch('/api/session/password', { method: 'PUT', body: JSON.stringify(wish) })).status, wish);

async function logIn(page, secret) {
  await page.goto('/login');
  await page.getByLabel('Password or admin token').fill(secret);
  await button('Log in', page).click();
  await heading('No jobs yet', page).waitFor();
}

async function logOut(page, own) {
  await own.touch(false);
  await button('Log out', page).click();
  await button('Log in with a passkey', page).waitFor();
}

async function logInByPasskey(page, own) {
  await own.touch(true);
  // The finger may choose what the browser offers in the field before the button is pressed: that lets in, too.
  await button('Log in with a passkey', page).click({ timeout: 5000 }).catch(() => {});
  await heading('No jobs yet', page).waitFor();
}

test('a passkey is made instead of a password, opens the page without a name, and is removed', async () => {
  const window = await openWindow(browser, named);
  const { page } = window;
  const own = await device(window);
  await page.goto(farm.link.replace('127.0.0.1', 'localhost'));
  await heading('Choose a password', page).waitFor();
  await button('Make a passkey on this device', page).waitFor();
  await shot('choose-passkey', page);
  await accessible('choose a passkey', page);
  await button('Make a passkey on this device', page).click();
  await heading('No jobs yet', page).waitFor();
  const [kept] = await own.keys();
  assert.deepEqual([kept.rpId, kept.isResidentCredential], ['localhost', true]);
  for (const wish of [{ role: 'operator', password: PASSWORD }, { role: 'viewer', password: VIEWERS }]) {
    assert.equal(await setPassword(page, wish), 200);
  }

  // This device has one now, and says so.
  await page.goto('/settings');
  await page.getByText('not used yet').waitFor();
  await page.getByLabel('Name of this device').fill('Anna’s laptop');
  await button('Make a passkey', page).click();
  await page.getByText('This device has a passkey for this server already.').waitFor();
  await page.getByRole('region', { name: 'Passkeys' }).scrollIntoViewIfNeeded();
  await shot('settings-passkeys', page);
  await accessible('settings, passkeys', page);

  await logOut(page, own);
  await shot('login-passkey', page);
  await accessible('login by passkey', page);
  await logInByPasskey(page, own);
  assert.equal(await role(page), 'operator');
  await page.goto('/settings');
  await page.getByText('last used').waitFor();
  await page.getByRole('button', { name: /^Remove .* on Linux$/ }).click();
  await shot('passkey-remove', page);
  await accessible('remove a passkey', page);
  await page.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click();
  // It had opened this login.
  await heading('Log in', page).waitFor();
  await page.reload();
  await heading('Log in', page).waitFor();
  assert.equal(await button('Log in with a passkey', page).count(), 0, 'there is none left');
  assert.deepEqual(window.faults, []);
  await window.context.close();
});

test('a viewer’s passkey lets a viewer in, and goes with the viewers’ password', async () => {
  const window = await openWindow(browser, named);
  const { page } = window;
  const own = await device(window);
  await logIn(page, VIEWERS);
  await page.goto('/settings');
  await page.getByLabel('Name of this device').fill('Ben’s phone');
  await button('Make a passkey', page).click();
  await page.getByText('not used yet').waitFor();
  await shot('settings-viewer', page);
  await accessible('settings of a viewer', page);
  await logOut(page, own);
  await logInByPasskey(page, own);
  assert.equal(await role(page), 'viewer');
  // Without the button, too: the browser offers it where the password is typed, and here it is chosen at once.
  await page.goto('/settings');
  await heading('Passkeys', page).waitFor();
  await button('Log out', page).click();
  await heading('No jobs yet', page).waitFor();
  assert.equal(await role(page), 'viewer');
  assert.equal((await asks(page, '/api/tokens', { role: 'operator', label: 'x' })).type, 'not-permitted');

  const operator = await openWindow(browser, named);
  await logIn(operator.page, PASSWORD);
  await operator.page.goto('/settings');
  await operator.page.getByText('viewer, made', { exact: false }).waitFor();
  assert.equal(await setPassword(operator.page, { role: 'viewer', password: `${VIEWERS}!` }), 200);
  await operator.page.reload();
  await heading('Passkeys', operator.page).waitFor();
  await button('Make a passkey', operator.page).waitFor();
  assert.equal(await operator.page.getByText('Ben’s phone').count(), 0);
  await operator.context.close();
  await page.goto('/settings');
  await heading('Log in', page).waitFor();
  assert.deepEqual(window.faults, []);
  await window.context.close();
});

test('a copy of a passkey is found out, and a device without a finger or PIN is not enough', async () => {
  const window = await openWindow(browser, named);
  const { page } = window;
  const own = await device(window);
  await logIn(page, PASSWORD);
  await page.goto('/settings');
  await button('Make a passkey', page).click();
  await page.getByText('not used yet').waitFor();
  const [stolen] = await own.keys();
  await logOut(page, own);
  await logInByPasskey(page, own);

  const thief = await openWindow(browser, named);
  const copy = await device(thief);
  await copy.put(stolen);
  await copy.touch(false);
  await thief.page.goto('/login');
  await button('Log in with a passkey', thief.page).waitFor();
  await copy.touch(true);
  await button('Log in with a passkey', thief.page).click();
  await thief.page.getByRole('alert').getByText('there may be a copy of it').waitFor();
  await shot('login-copied', thief.page);
  await copy.verify(false);
  await button('Log in with a passkey', thief.page).click();
  await thief.page.getByRole('alert').getByText('No passkey was chosen').waitFor();
  assert.equal((await thief.page.request.get('/api/session')).status(), 401);
  // Nobody knows who has the copy: neither gets in, and the first one's login is closed.
  await page.goto('/settings');
  await heading('Log in', page).waitFor();
  await logIn(page, PASSWORD);
  await page.goto('/settings');
  await page.getByText('There may be a copy of it').waitFor();
  await shot('settings-passkey-copied', page);
  await accessible('settings, a copied passkey', page);
  assert.deepEqual([...window.faults, ...thief.faults], []);
  await thief.context.close();
  await window.context.close();
});

test('at an address of numbers the page says why there are no passkeys, and where they are', async () => {
  const window = await openWindow(browser, farm);
  const { page } = window;
  await page.goto('/login');
  await heading('Log in', page).waitFor();
  assert.equal(await page.getByRole('link', { name: named.url }).getAttribute('href'), `${named.url}/login`);
  assert.equal(await button('Log in with a passkey', page).count(), 0);
  await shot('login-passkey-elsewhere', page);
  await accessible('login, passkeys elsewhere', page);
  await logIn(page, PASSWORD);
  await page.goto('/settings');
  await page.getByText('Passkeys belong to a name').waitFor();
  assert.equal(await page.getByRole('link', { name: named.url }).getAttribute('href'), `${named.url}/settings`);
  assert.equal(await button('Make a passkey', page).count(), 0);
  await shot('settings-passkeys-elsewhere', page);
  assert.equal((await asks(page, '/api/passkeys/registration', { name: 'x' })).type, 'no-passkeys-here');
  assert.deepEqual(window.faults, []);
  await window.context.close();
});

test('it fits a phone in the dark', async () => {
  const window = await openWindow(browser, named, {
    viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'dark',
  });
  const { page } = window;
  await page.goto('/login');
  await button('Log in with a passkey', page).waitFor();
  await shot('phone-login', page);
  await accessible('phone, login', page);
  await logIn(page, PASSWORD);
  await page.goto('/settings');
  await button('Make a passkey', page).waitFor();
  await page.getByRole('region', { name: 'Passkeys' }).scrollIntoViewIfNeeded();
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
  assert.ok(wide <= 390, `it is ${wide} wide on a phone of 390`);
  await shot('phone-settings-passkeys', page);
  await accessible('phone, passkeys', page);
  assert.deepEqual(window.faults, []);
  await window.context.close();
});
