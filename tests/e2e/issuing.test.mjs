// issuing.test.mjs: from the mail's code to the first visit to a service with a software certificate, in Chromium (P-051…P-054): a file
// made by the provider, a key made in the browser, a request of the citizen's own; each imported by NSS and used. And a block, until
// OCSP and the list of revoked certificates say so (K2).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { Visit, assertAccessible, assertReflows, screenshot, sendMail, startBrowser, startSystem, visitor, waitForMail, walkByKeyboard,
  withoutPolicies } from "./lib.mjs";
import { call, createAccount } from "../../tools/demo-town.mjs";

const run = promisify(execFile);
const LIMIT = { timeout: 300_000 };
const dir = mkdtempSync(join(tmpdir(), "beffroi-issuing."));
const system = await startSystem();
after(() => rmSync(dir, { recursive: true, force: true }));
const path = (...names) => join(dir, ...names);
const door = new URL(system.CERT_LOGIN_URL);
const openssl = (...words) => run("openssl", words);

// An account as the counter makes it, its sheet sent by mail, the code typed; { handle, revocation, url } of the choice of a device.
async function toChoice(page, name) {
  const codes = await createAccount(system, { type: "x509_soft" });
  const address = `${name}-${Date.now()}@citoyens.test`;
  await sendMail(system, { from: address, subject: codes.creation });
  const mail = await waitForMail(system, (m) => m.headers.to?.includes(address));
  const link = mail.text.split(/\s+/).find((word) => word.startsWith(`${system.IDP_BASE_URL}/activate/`));
  const code = /^\s*(\d{4}) ?(\d{4})\s*$/m.exec(mail.text);
  await page.goto(link);
  await page.locator("#code").fill(code[1] + code[2]);
  await page.locator("#check").click();
  await page.locator("#choose").waitFor();
  return { ...codes, url: page.url() };
}

const stateOf = async (who) => (await call(system, "GET", `/v1/accounts/${who.handle}`)).body.state;
async function until(what, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (!(await what())) {
    assert.ok(Date.now() < end, "waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function choose(page, device) {
  await page.locator(`#device-${device}`).check();
  await page.locator("#choose").click();
  await page.locator("#download").waitFor();
}

// What the browser saved, and the phrase that opens it.
async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(button).click()]);
  const file = path(`${Math.random()}.p12`);
  await download.saveAs(file);
  return { file, name: download.suggestedFilename() };
}

// With the key in Chromium's own store: sign in to a service.
async function useAt(key) {
  const browser = await startBrowser(system, {
    keys: [key], policy: { AutoSelectCertificateForUrls: [JSON.stringify({ pattern: `https://[*.]${door.host}`, filter: {} })] },
  });
  const page = await visitor(browser);
  page.setDefaultTimeout(120_000);                     // a key of 3072 bits, on a machine with other work
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await page.locator("#door-certificate").click();
  await page.locator("#signed-in").waitFor();
  assert.ok(page.url().startsWith(system.SONDAGE_URL), page.url());
  assert.deepEqual(page.failures, []);
}

test("a file, without script; then a service", { ...LIMIT, skip: withoutPolicies }, async () => {
  const browser = await startBrowser(system);
  const page = await visitor(browser, { javaScriptEnabled: false });
  const who = await toChoice(page, "fichier");
  await choose(page, "firefox");
  const password = (await page.locator("#passphrase").textContent()).trim();
  const { file, name } = await saved(page, "#download");
  assert.equal(name, "certificat.p12");
  await until(async () => await stateOf(who) === "active");
  await useAt({ file, password });
});

test("a key made in the browser; then a service", { ...LIMIT, skip: withoutPolicies }, async () => {
  const browser = await startBrowser(system);
  const page = await visitor(browser);
  page.setDefaultTimeout(120_000);                     // a key of 3072 bits, on a machine with other work
  const bodies = [];
  page.on("request", (request) => bodies.push(request.postData() ?? ""));
  const who = await toChoice(page, "navigateur");
  await assertAccessible(page, "choice of the device");
  await assertReflows(page, "choice of the device");
  await walkByKeyboard(page, "choice of the device");
  await screenshot(page, "issuing-choose");
  await choose(page, "firefox");
  await assertAccessible(page, "delivery");
  await assertReflows(page, "delivery");
  await screenshot(page, "issuing-deliver");
  await page.locator("#phrase").fill("court");
  await page.locator("#phrase2").fill("court");
  await page.locator("#make").click();
  assert.match(await page.locator("#browser-said").textContent(), /trop courte/);
  const password = "quatre mots pris au hasard";
  await page.locator("#phrase").fill(password);
  await page.locator("#phrase2").fill(password);
  const { file } = await saved(page, "#make");
  assert.equal(await stateOf(who), "pending");
  await page.locator("#have-it").click();
  await page.locator("#go-signin").waitFor();
  assert.equal(await stateOf(who), "active");
  assert.deepEqual(page.failures, []);
  // Neither the phrase nor the key was sent: only the request.
  const { stdout } = await openssl("pkcs12", "-in", file, "-passin", `pass:${password}`, "-nocerts", "-nodes");
  const inner = stdout.split("\n").filter((line) => /^[A-Za-z0-9+/=]{60,}$/.test(line));
  for (const body of bodies) {
    assert.ok(!decodeURIComponent(body.replaceAll("+", " ")).includes(password));
    for (const line of inner) assert.ok(!decodeURIComponent(body).includes(line));
  }
  assert.ok(bodies.some((body) => body.includes("way=browser")));
  await useAt({ file, password });
});

test("a request of one's own, without script, and the test of the connection", { ...LIMIT, skip: withoutPolicies }, async () => {
  const first = await startBrowser(system);
  const page = await visitor(first, { javaScriptEnabled: false });
  const who = await toChoice(page, "demande");
  await choose(page, "unknown");
  await openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=moi", "-keyout", path("own.key"),
    "-out", path("own.csr"));
  await page.locator("#expert summary").click();
  await screenshot(page, "issuing-request");
  // A wrong file, one far too large, then the request, in DER.
  for (const [name, octets, says] of [["cle.pem", readFileSync(path("own.key")), /clé privée/], ["photo.csr", Buffer.alloc(9_000_000, 48), /trop gros/]]) {
    await page.locator("#request_file").setInputFiles({ name, mimeType: "application/octet-stream", buffer: octets });
    await page.locator("#ask").click();
    await page.locator("#expert").waitFor({ state: "detached" });
    assert.match(await page.locator("main").textContent(), says);
    await screenshot(page, `issuing-request-${name}`);
    await page.goBack();
    await page.locator("#expert summary").click();
  }
  await openssl("req", "-in", path("own.csr"), "-outform", "DER", "-out", path("own.der"));
  await page.locator("#request_file").setInputFiles(path("own.der"));
  await page.locator("#ask").click();
  await page.locator("#pem").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#pem").click()]);
  await download.saveAs(path("own.pem"));
  await openssl("pkcs12", "-export", "-inkey", path("own.key"), "-in", path("own.pem"), "-passout", "pass:essai", "-out", path("own.p12"));
  assert.equal(await stateOf(who), "pending");
  const second = await startBrowser(system, {
    keys: [{ file: path("own.p12"), password: "essai" }],
    policy: { AutoSelectCertificateForUrls: [JSON.stringify({ pattern: `https://[*.]${door.host}`, filter: {} })] },
  });
  const again = await visitor(second);
  again.setDefaultTimeout(60_000);
  await again.goto(`${who.url}/issued`);
  await assertAccessible(again, "issued");
  await again.locator("#test").click();
  await again.locator("#logout").waitFor();
  assert.match(await again.locator("main").textContent(), /Votre certificat marche/);
  assert.equal(await stateOf(who), "active");
  assert.deepEqual(again.failures, []);
});

test("blocked: here at once, then in OCSP and in the list", LIMIT, async () => {
  const browser = await startBrowser(system);
  const page = await visitor(browser, { javaScriptEnabled: false });
  const who = await toChoice(page, "bloque");
  await choose(page, "firefox");
  const password = (await page.locator("#passphrase").textContent()).trim();
  const { file } = await saved(page, "#download");
  await until(async () => await stateOf(who) === "active");
  await openssl("pkcs12", "-in", file, "-passin", `pass:${password}`, "-nokeys", "-clcerts", "-out", path("leaf.pem"));
  const issuer = system.ISSUING_CA.replace("servers-ca", "soft-ca");
  const ocsp = async () => (await openssl("ocsp", "-issuer", issuer, "-cert", path("leaf.pem"), "-url", system.OCSP_URL, "-noverify")).stdout;
  await until(async () => /: good/.test(await ocsp()));
  const begun = Date.now();
  const answer = await call(system, "POST", `/v1/accounts/${who.handle}/block`, { body: { reason: "stolen" } });
  assert.equal(answer.status, 200);
  const blocked = Date.now() - begun;
  await until(async () => /: revoked/.test(await ocsp()));
  const told = Date.now() - begun;
  const serial = (await openssl("x509", "-in", path("leaf.pem"), "-noout", "-serial")).stdout.trim().split("=")[1];
  await until(async () => {
    const list = Buffer.from(await (await fetch(`${system.PKI_STATUS_URL}/crl/soft-g1.crl`)).arrayBuffer());
    writeFileSync(path("soft.crl"), list);
    return (await openssl("crl", "-inform", "DER", "-in", path("soft.crl"), "-noout", "-text")).stdout.includes(serial);
  });
  console.log(`blocked in ${blocked} ms, in OCSP after ${told} ms, in the list after ${Date.now() - begun} ms`);
});
