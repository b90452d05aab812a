// counter.mjs: what a clerk does in a browser, for the tests that need a dossier.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { randomBytes } from "node:crypto";
import { freshCode, query } from "./lib.mjs";

const run = promisify(execFile);

export const inYears = (years) => new Date(Date.now() + years * 365.25 * 86400_000).toISOString().slice(0, 10);

// A clerk of the demo: { login, password, secret }. Who signs in often takes one of their own.
export function demoClerk(system) {
  return { login: system.CLERK_LOGIN, password: system.CLERK_PASSWORD, secret: system.CLERK_TOTP_SECRET };
}

// Another clerk, made by the town's administrator with the program's own command.
export async function newClerk(system, name = "Noé Deuxième") {
  const folder = mkdtempSync(join(tmpdir(), "beffroi-clerk."));
  const login = `agent.${randomBytes(4).toString("hex")}`;
  const password = `guichet ${randomBytes(8).toString("hex")}`;
  try {
    writeFileSync(join(folder, "password"), `${password}\n`, { mode: 0o600 });
    await run(system.MAIRIE_BIN, ["agent", "add", login, "--config", system.MAIRIE_CONFIG, "--name", name, "--roles", "guichet,validation",
      "--password-file", join(folder, "password"), "--totp-file", join(folder, "totp")]);
    return { login, password, secret: readFileSync(join(folder, "totp"), "utf8").trim() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// Password and one-time code. Another test may have used the demo clerk's code: then the next one. ahead: by how many milliseconds
// the instance's clock was moved.
export async function clerkSignsIn(page, system, clerk, ahead = 0) {
  for (let i = 0; i < 4; i++) {
    await page.goto(`${system.MAIRIE_URL}/login`);
    await page.locator("#login").fill(clerk.login);
    await page.locator("#password").fill(clerk.password);
    await page.locator("#totp").fill(await freshCode(clerk.secret, ahead));
    await page.locator("#signin").click();
    await page.waitForLoadState("load");
    if (await page.locator("#signin").count() === 0) return;
  }
  assert.fail(`the clerk cannot sign in: ${await page.locator("main").textContent()}`);
}

// The form, filled in up to its button: person { birth, given }, authorisations by code, until: { code: date }.
export async function fillForm(page, person, authorisations = ["employe_mairie"], until = {}) {
  await page.locator("#birth_name").fill(person.birth);
  await page.locator("#given_names").fill(person.given);
  await page.locator("#doc_type").selectOption({ index: 1 });
  await page.locator("#doc_expiry").fill(inYears(4));
  for (const code of authorisations) {
    await page.locator(`#authz_${code}`).check();
    if (until[code]) await page.locator(`#until_${code}`).fill(until[code]);
  }
}

// The postal address of a card's form: lines { 2: "…", 6: "…" }.
export async function fillAddress(page, lines = { 4: "4 rue de la Lanterne", 6: "54999 VALBOURG" }) {
  for (const [n, text] of Object.entries(lines)) await page.locator(`#line${n}`).fill(text);
}

// The authority that makes this test run's cards, trusted by the identity provider.
let maker;
async function cardMaker(system) {
  if (maker) return maker;
  const folder = mkdtempSync(join(tmpdir(), "beffroi-cards."));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const name = `cartes-${randomBytes(4).toString("hex")}`;
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", `/O=Essai/CN=${name}`,
    "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", join(folder, "ca.key"), "-out", join(folder, "ca.pem")]);
  await run(system.IDP_BIN, ["trust", "add", join(folder, "ca.pem"), "--config", system.IDP_CONFIG, "--name", name, "--use", "card", "--own"]);
  maker = folder;
  return folder;
}

// The card of a dossier is made: the file of its certificate, as a reader gives it, linked to the account.
export async function makeCard(system, dossier) {
  const folder = await cardMaker(system);
  const id = /[0-9a-f-]{36}/.exec(dossier)[0];
  const base = join(folder, id);
  const [[handle]] = await query(system, "MAIRIE_DATABASE_URL", `SELECT handle FROM mairie.dossier WHERE id = '${id}'`);
  writeFileSync(`${base}.ext`, "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n" +
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
  await run("openssl", ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=carte", "-keyout", `${base}.key`, "-out", `${base}.csr`]);
  await run("openssl", ["x509", "-req", "-in", `${base}.csr`, "-CA", join(folder, "ca.pem"), "-CAkey", join(folder, "ca.key"), "-set_serial",
    String(BigInt(`0x${randomBytes(8).toString("hex")}`) + 1n), "-days", "20", "-extfile", `${base}.ext`, "-out", `${base}.pem`]);
  await run(system.IDP_BIN, ["account", "link-certificate", handle, `${base}.pem`, "--config", system.IDP_CONFIG]);
  return `${base}.pem`;
}

// The codes on the sheet that the page shows: { creation, sheet or undefined, revocation }.
export async function readSheet(page) {
  const codes = (await page.locator(".letter .code").allTextContents()).map((text) => text.replace(/\s/g, ""));
  assert.ok(codes.length === 2 || codes.length === 3, `a sheet of ${codes.length} codes`);
  return { creation: codes[0], sheet: codes.length === 3 ? codes[1] : undefined, revocation: codes.at(-1) };
}

// Waits at the counter until the dossier offers an action: "authz" when the account is open, "reopen" when it is closed.
export async function waitForAction(page, dossier, action) {
  for (let i = 0; i < 100; i++) {
    await page.goto(dossier);
    if (await page.locator(`a#action-${action}`).count() > 0) return;
    await page.waitForTimeout(200);
  }
  assert.fail(`no ${action}: ${await page.locator("main").textContent()}`);
}

// Waits at the counter until the identity provider has answered and the sheet can be shown; stays before the button.
export async function waitForSheet(page) {
  for (let i = 0; i < 100; i++) {
    if (await page.locator("#show").count() > 0) return;
    const print = page.locator("a#action-print");
    const again = page.locator("#look-again");
    if (await print.count() > 0) await print.click();
    else if (await again.count() > 0) {
      await page.waitForTimeout(200);
      await again.click();
    } else {
      await page.waitForTimeout(200);
      await page.reload();
    }
    await page.waitForLoadState("load");
  }
  assert.fail(`no sheet: ${await page.locator("main").textContent()}`);
}
