// factors.mjs: what the tests of second factors share: an authenticator in the browser, codes, and the way to the page.
import assert from "node:assert/strict";
import { freshCode } from "./lib.mjs";

// Chromium's own authenticator in software (Chrome DevTools Protocol, domain WebAuthn), of this page's tab.
export async function authenticator(page, options = {}) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal",
    hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, ...options } });
  return {
    credentials: async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
    add: (credential) => cdp.send("WebAuthn.addCredential", { authenticatorId, credential }),
    remove: (credentialId) => cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId }),
    close: () => cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId }),
  };
}

export async function signIn(page, who) {
  await page.locator("#login").fill(who.login);
  await page.locator("#password").fill(who.password);
  await page.locator("#signin").click();
}

// From my page to a program that shows codes: its key and the recovery codes.
export async function addTotp(page) {
  await page.locator("#go-factors").click();
  await page.locator("#add-totp").click();
  const key = await page.locator("#key").innerText();
  await page.locator("#code").fill(await freshCode(key));
  await page.locator("#add").click();
  await page.locator("#codes-kept").waitFor();
  const codes = await page.locator("#codes li").allInnerTexts();
  assert.equal(new Set(codes).size, 10);
  return { key, codes };
}

export async function addPasskey(page, name) {
  await page.locator("#add-passkey").click();
  await page.locator("#name").fill(name);
  await page.locator("#make_passkey").click();
}
