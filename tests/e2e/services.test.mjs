// services.test.mjs: a citizen, two services that nobody here wrote, and the paper's code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { assertAccessible, assertReflows, newCitizen, screenshot, startBrowser, startSystem, visitor, walkByKeyboard } from "./lib.mjs";

const system = await startSystem();
const browser = await startBrowser(system);
const LIMIT = { timeout: 120_000 };

async function signIn(page, login, password) {
  await page.locator("#login").fill(login);
  await page.locator("#password").fill(password);
  await page.locator("#signin").click();
}

const shown = (page, name) => page.locator(`td[data-name="${name}"]`).textContent();

test("sondage: sign-in, what is shown, logout", LIMIT, async () => {
  const page = await visitor(browser);
  await page.goto(system.SONDAGE_URL);
  await page.getByRole("link", { name: "Se connecter avec Beffroi" }).click();
  assert.ok(page.url().startsWith(system.IDP_BASE_URL), page.url());
  await assertAccessible(page, "sign-in");
  await assertReflows(page, "sign-in");
  await walkByKeyboard(page, "sign-in");
  await screenshot(page, "signin");
  await signIn(page, system.CITIZEN_LOGIN, system.CITIZEN_PASSWORD);
  await page.waitForURL(`${system.SONDAGE_URL}/`);
  await page.locator("#signed-in").waitFor();
  assert.equal(await shown(page, "iss"), system.OIDC_ISSUER);
  const sub = await shown(page, "sub");
  assert.notEqual(sub, system.CITIZEN_LOGIN);
  // The service is told an identifier of its own and what was granted: no login, no address.
  const all = await page.locator("main").textContent();
  assert.ok(!all.includes(system.CITIZEN_LOGIN), all);
  assert.ok(!all.includes("@"), all);
  await screenshot(page, "sondage");

  // A second sign-in of the same browser asks for nothing and gives the same identifier.
  const again = await page.context().newPage();
  await again.goto(`${system.SONDAGE_URL}/connexion`);
  await again.waitForURL(`${system.SONDAGE_URL}/`);
  assert.equal(await shown(again, "sub"), sub);

  await page.getByRole("link", { name: "Se déconnecter" }).click();
  // The IdP may ask first; afterwards the browser is back at the service, signed out on both sides.
  if (page.url().startsWith(system.IDP_BASE_URL)) await page.locator("form button").first().click();
  await page.locator("#signed-out").waitFor();
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await page.locator("#signin").waitFor();
  assert.deepEqual(page.failures, []);
});

test("openid-client reads and ends its own token", LIMIT, async () => {
  const config = JSON.parse(readFileSync(join(dirname(system.IDP_CONFIG), "sondage.json"), "utf8"));
  const { Issuer, custom } = createRequire(join(dirname(system.IDP_BIN), "demo-oidc", "server.mjs"))("openid-client");
  custom.setHttpOptionsDefaults({ timeout: 20_000, ca: readFileSync(system.CA_CERT) });
  const issuer = await Issuer.discover(system.OIDC_ISSUER);
  const client = new issuer.Client({ client_id: config.client_id, client_secret: config.client_secret, response_types: ["code"],
    redirect_uris: [`${system.SONDAGE_URL}/retour`] });
  const page = await visitor(browser);
  // The service itself refuses this answer: it did not ask, and leaves the code alone.
  await page.goto(client.authorizationUrl({ scope: "openid town", state: "s", nonce: "n" }));
  await signIn(page, system.CITIZEN_LOGIN, system.CITIZEN_PASSWORD);
  await page.waitForURL(`${system.SONDAGE_URL}/retour?*`);
  const tokens = await client.callback(`${system.SONDAGE_URL}/retour`, client.callbackParams(page.url()), { state: "s", nonce: "n" });
  const state = await client.introspect(tokens.access_token, "access_token");
  assert.equal(state.active, true);
  assert.equal(state.sub, tokens.claims().sub);
  assert.equal(state.scope, "openid town");
  await client.revoke(tokens.access_token, "access_token");
  assert.deepEqual(await client.introspect(tokens.access_token), { active: false });
  await assert.rejects(client.userinfo(tokens.access_token));
  await page.context().close();
});

test("sondage: a wrong password is refused and a right one passes afterwards", LIMIT, async () => {
  const page = await visitor(browser);
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(page, system.CITIZEN_LOGIN, "not the password at all");
  await page.locator("#signin").waitFor();
  await assertAccessible(page, "sign-in refused");
  await page.goto(`${system.SONDAGE_URL}/`);
  assert.equal(await page.locator("#signed-in").count(), 0);
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(page, system.CITIZEN_LOGIN, system.CITIZEN_PASSWORD);
  await page.locator("#signed-in").waitFor();
});

test("sondage: works without scripts", LIMIT, async () => {
  const page = await visitor(browser, { javaScriptEnabled: false });
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(page, system.CITIZEN_LOGIN, system.CITIZEN_PASSWORD);
  await page.locator("#signed-in").waitFor();
});

test("sondage: prompt=none without a session is login_required", LIMIT, async () => {
  const page = await visitor(browser);
  await page.goto(`${system.SONDAGE_URL}/connexion?prompt=none`);
  assert.match(await page.locator("#refused").textContent(), /login_required/);
});

test("the paper's code blocks the account: the session is dead and sign-in refused, on both nodes", LIMIT, async () => {
  const citizen = await newCitizen(system);
  const page = await visitor(browser);
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(page, citizen.login, citizen.password);
  await page.locator("#signed-in").waitFor();

  const elsewhere = await visitor(browser);
  await elsewhere.goto(system.BLOCK_URL);
  await assertAccessible(elsewhere, "block");
  await assertReflows(elsewhere, "block");
  await screenshot(elsewhere, "block");
  await elsewhere.locator("#code").fill(citizen.revocation);
  await elsewhere.locator("form button").first().click();
  const receipt = await elsewhere.locator("main").textContent();
  await assertAccessible(elsewhere, "blocked");
  await screenshot(elsewhere, "blocked");
  assert.ok(!receipt.includes(citizen.login), receipt);

  // At once: a silent sign-in fails although the browser has its cookie, and the password opens nothing any more.
  await page.goto(`${system.SONDAGE_URL}/connexion?prompt=none`);
  assert.match(await page.locator("#refused").textContent(), /login_required|access_denied/);
  for (const node of [system.IDP_BASE_URL, system.IDP2_BASE_URL]) {
    const other = await visitor(browser);
    await other.goto(`${node}/login`);
    await signIn(other, citizen.login, citizen.password);
    assert.ok(await other.locator("#signin").count() > 0 || /bloqu/i.test(await other.locator("main").textContent()), `${node}: still open`);
  }
  // The other citizen is untouched.
  const untouched = await visitor(browser);
  await untouched.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(untouched, system.CITIZEN_LOGIN, system.CITIZEN_PASSWORD);
  await untouched.locator("#signed-in").waitFor();
});

test("agenda: SAML sign-in, one session for both services, logout", { ...LIMIT, skip: !system.AGENDA_PID && "this build has no SAML" }, async () => {
  const page = await visitor(browser);
  await page.goto(system.AGENDA_URL);
  await page.getByRole("link", { name: "Se connecter avec Beffroi" }).click();
  await signIn(page, system.CITIZEN_LOGIN, system.CITIZEN_PASSWORD);
  await page.waitForURL(`${system.AGENDA_URL}/mes-rendez-vous`);
  await page.locator("#signed-in").waitFor();
  await assertAccessible(page, "agenda");
  await screenshot(page, "agenda");
  const nameId = await shown(page, "NAME_ID");
  const all = await page.locator("main").textContent();
  assert.ok(!all.includes(system.CITIZEN_LOGIN), all);
  assert.ok(!all.includes("@"), all);

  // The same browser is known at the other service, under another identifier: families do not meet.
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await page.locator("#signed-in").waitFor();
  assert.notEqual(await shown(page, "sub"), nameId);

  await page.goto(`${system.AGENDA_URL}/mes-rendez-vous`);
  await page.getByRole("link", { name: "Se déconnecter" }).click();
  if (page.url().startsWith(system.IDP_BASE_URL)) await page.locator("form button").first().click();
  await page.locator("#signed-out").waitFor();
  await page.goto(`${system.AGENDA_URL}/mes-rendez-vous`);
  await page.locator("#signin").waitFor();
});

test("no password, code or address of a person is in a log", LIMIT, async () => {
  const citizen = await newCitizen(system);
  for (const name of ["idp", "idp2", "idp-worker", "idp-notifier"]) {
    const log = readFileSync(`${system.LOG_DIR}/${name}.log`, "utf8");
    for (const secret of [citizen.password, citizen.creation, citizen.revocation, citizen.address, system.CITIZEN_PASSWORD]) {
      assert.ok(!log.includes(secret), `${name}.log holds ${secret}`);
    }
  }
});
