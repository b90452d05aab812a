// factor.test.mjs: second factors as people meet them: passkeys with Chromium's own authenticator, codes with and without
// JavaScript, recovery codes, and the way back to the service that waits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, assertReflows, freshCode, newCitizen, screenshot, startBrowser, startSystem, visitor, walkByKeyboard } from "./lib.mjs";
import { addPasskey, addTotp, authenticator, signIn } from "./factors.mjs";

const LIMIT = { timeout: 240_000 };
const system = await startSystem();
const browser = await startBrowser(system);

async function look(page, name) {
  await assertAccessible(page, name);
  await assertReflows(page, name);
  await walkByKeyboard(page, name);
  await screenshot(page, name);
}

test("a passkey: made on my page, asked after the password, on to the service", LIMIT, async () => {
  const who = await newCitizen(system);
  const page = await visitor(browser);
  const device = await authenticator(page);
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await signIn(page, who);
  await page.locator("#go-factors").click();
  await look(page, "factors-none");
  await page.locator("#add-passkey").click();
  await look(page, "factor-passkey");
  await page.locator("#make_passkey").click();          // without a name: told, and the key that was made is not lost for ever
  await page.locator("#errors").waitFor();
  await page.goto(`${system.IDP_BASE_URL}/ma-page/double-verification`);
  for (const { credentialId } of await device.credentials()) await device.remove(credentialId);
  await addPasskey(page, "téléphone");
  await page.locator("#codes li").first().waitFor();
  await look(page, "factor-codes");
  assert.equal(await page.locator("#codes li").count(), 10);
  await page.locator("#codes-kept").click();
  await page.locator("#t-codes").waitFor();
  await look(page, "factors-passkey");

  // the same device once more: the browser knows it (excludeCredentials)
  await addPasskey(page, "encore");
  await page.locator("#passkey [role=alert]").waitFor();
  assert.deepEqual((await device.credentials()).length, 1);

  // asked after the password, and back to the service
  await page.context().clearCookies();
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(page, who);
  await page.locator("#use_passkey").waitFor();
  await look(page, "signon-factor-passkey");
  await page.locator("#use_passkey").click();
  await page.locator("#signed-in").waitFor();
  assert.ok(page.url().startsWith(system.SONDAGE_URL), page.url());
  await page.goto(system.IDP_BASE_URL);
  assert.match(await page.locator("#t-logins + ul li").first().innerText(), /clé d'accès/);

  // given up: told, and the way on is still there
  await page.context().clearCookies();
  await device.close();
  const none = await authenticator(page, { isUserVerified: false });
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await signIn(page, who);
  await page.locator("#use_passkey").click();
  await page.locator("#passkey [role=alert]").waitFor();
  await none.close();
  await page.locator("#cancel").click();
  await page.waitForURL(`${system.SONDAGE_URL}/**`);
  assert.deepEqual(page.failures.filter((f) => !/NotAllowedError|InvalidStateError/.test(f)), []);
  await page.context().close();
});

test("a copied passkey is refused and its holder told", LIMIT, async () => {
  const who = await newCitizen(system);
  const page = await visitor(browser);
  const device = await authenticator(page);
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await signIn(page, who);
  await page.locator("#go-factors").click();
  await addPasskey(page, "clé bleue");
  await page.locator("#codes-kept").waitFor();
  const codes = await page.locator("#codes li").allInnerTexts();
  const [copy] = await device.credentials();
  for (let i = 0; i < 2; i++) {
    await page.context().clearCookies();
    await page.goto(`${system.IDP_BASE_URL}/login`);
    await signIn(page, who);
    await page.locator("#use_passkey").click();
    await page.locator("#t-logins").waitFor();
  }
  // the device goes away, and what was copied from it earlier is used
  await device.remove(copy.credentialId);
  await device.add({ ...copy, signCount: 0 });
  await page.context().clearCookies();
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await signIn(page, who);
  await page.locator("#use_passkey").click();
  await page.locator("#errors").waitFor();
  assert.match(await page.locator("#errors").innerText(), /copiée/);
  await look(page, "signon-factor-copied");
  // a recovery code opens, and the key goes
  await page.locator("#code").fill(codes[3]);
  await page.locator("#check").click();
  await page.locator("#go-factors").click();
  await page.getByRole("button", { name: /Retirer/ }).click();
  await page.locator(".notice.good").waitFor();
  assert.equal(await page.locator("#t-codes").count(), 0);
  await page.context().close();
});

for (const javaScriptEnabled of [true, false]) {
  test(`codes of a program ${javaScriptEnabled ? "with" : "without"} JavaScript`, LIMIT, async () => {
    const who = await newCitizen(system);
    const page = await visitor(browser, { javaScriptEnabled });
    await page.goto(`${system.IDP_BASE_URL}/login`);
    await signIn(page, who);
    if (javaScriptEnabled) {
      await page.locator("#go-factors").click();
      await page.locator("#add-totp").click();
      await page.locator("#code").fill("000000");
      await page.locator("#add").click();
      await page.locator("#errors").waitFor();
      await look(page, "factor-totp");
      assert.match(await page.locator("#open-app").getAttribute("href"), /^otpauth:\/\/totp\//);
      assert.ok((await page.locator("#qr svg").boundingBox()).width > 150);
      await page.goto(system.IDP_BASE_URL);
    } else {
      await page.goto(`${system.IDP_BASE_URL}/ma-page/double-verification/cle`);
      assert.ok(await page.locator(".passkey-none").isVisible());
      assert.ok(!await page.locator("#make_passkey").isVisible());
      await screenshot(page, "factor-passkey-no-script");
      await page.goto(system.IDP_BASE_URL);
    }
    const { key, codes } = await addTotp(page);
    await page.locator("#codes-kept").click();
    await page.locator("#remove-totp").waitFor();

    await page.context().clearCookies();
    await page.goto(`${system.SONDAGE_URL}/connexion`);
    await signIn(page, who);
    await page.locator("#check").waitFor();
    if (javaScriptEnabled) await look(page, "signon-factor-code");
    await page.locator("#code").fill("000 000");
    await page.locator("#check").click();
    await page.locator("#errors").waitFor();
    await page.locator("#code").fill(await freshCode(key));
    await page.locator("#check").click();
    await page.locator("#signed-in").waitFor();

    await page.context().clearCookies();
    await page.goto(`${system.IDP_BASE_URL}/login`);
    await signIn(page, who);
    await page.locator("#code").fill(codes[0]);
    await page.locator("#check").click();
    await page.locator("#t-means").waitFor();
    if (javaScriptEnabled) await screenshot(page, "my-page-factors");
    await page.context().close();
  });
}

test("a service asks for two factors: told, added, and on to the service", LIMIT, async () => {
  const who = await newCitizen(system);
  const page = await visitor(browser);
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await signIn(page, who);
  await page.locator("#go-factors").waitFor();
  const ask = `${system.IDP_BASE_URL}/oidc/authorize?${new URLSearchParams({ response_type: "code", client_id: "sondage",
    redirect_uri: `${system.SONDAGE_URL}/retour`, scope: "openid", state: "s", acr_values: "https://refeds.org/profile/mfa" })}`;
  await page.goto(ask);
  await look(page, "signon-factor-missing");
  await page.locator("#add").click();
  await page.locator("#add-totp").click();
  const key = await page.locator("#key").innerText();
  await page.locator("#code").fill(await freshCode(key));
  await page.locator("#add").click();
  await page.locator("#codes-kept").click();
  await page.waitForURL(`${system.SONDAGE_URL}/retour?*code=*`);
  // and who has one says so on the first page of another browser
  const other = await visitor(browser);
  await other.goto(ask);
  await signIn(other, who);
  await other.locator("#code").fill(await freshCode(key));
  await other.locator("#check").click();
  await other.waitForURL(`${system.SONDAGE_URL}/retour?*code=*`);
  await other.context().close();
  await page.context().close();
});
