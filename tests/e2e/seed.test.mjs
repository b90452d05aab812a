// seed.test.mjs: what the user's own text says of the certificate, of revocation and of reactivation, sentence by sentence and in
// its order, acted by the people it names: the clerk at the counter, the citizen with paper, mail and Chromium. Its words are the
// names of the tests.
//
// The text does not say what becomes of the certificate meanwhile. K2 has three answers, so three holders of cards go the same way:
//     hold      the authority puts it on hold, and two of its people let it go
//     before    `defer`: found within 24 hours, nothing has happened to it
//     after     `defer`: found later, it is revoked for good, and another card takes its place
//
// The clock is moved, so the instance is this file's own. Services that are not ours do not move with it: after that, people sign in
// at the provider itself.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { idp, query, screenshot, sendMail, startBrowser, startSystem, visitor, waitForMail, withoutPolicies } from "./lib.mjs";
import { clerkSignsIn, demoClerk, fillAddress, fillForm, inYears, readSheet, waitForAction, waitForSheet } from "./counter.mjs";
import { call, readEndpoints, unseal } from "../../tools/demo-town.mjs";

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), "beffroi-seed."));
// Browsers live longer than the test that starts them. Undone before the instance goes: hooks run in the order in which they were set.
const undo = [];
after(async () => {
  for (const step of undo.reverse()) await step();
});
const end = (step) => undo.push(step);
const system = await startSystem({ own: true });
end(() => rmSync(dir, { recursive: true, force: true }));
const demo = join(system.LOG_DIR, "..");
const path = (...names) => join(dir, ...names);
const openssl = (...words) => run("openssl", words);
const word = (prefix) => prefix + randomBytes(4).toString("hex").replace(/\d/g, (d) => "ghijklmnop"[d]);
const shown = async (page) => (await page.locator("main").textContent()).replace(/\s+/g, " ");
let ahead = 0;                                         // milliseconds by which the clock was moved

async function until(what, seconds = 90) {
  const end = Date.now() + seconds * 1000;
  while (!(await what())) {
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// One sentence, once. When one did not hold, those after it have nothing to stand on.
let broken = false;
function sentence(text, body) {
  test(`« ${text} »`, { timeout: 240_000, skip: withoutPolicies }, async (t) => {
    if (broken) return t.skip("a sentence before it does not hold");
    broken = true;
    await body(t);
    broken = false;
  });
}

// --- the people ---------------------------------------------------------------------------------------------------------
const someone = (name) => ({ name, person: { birth: word(name), given: "Camille" } });
const soft = { ...someone("Logiciel"), door: "certificate", ca: "soft" };
const hold = { ...someone("Suspension"), door: "card", ca: "cards", profile: "citizen-card-local" };
const before = { ...someone("Retrouve"), door: "card", ca: "cards", profile: "citizen-card" };
const later = { ...someone("Tardif"), door: "card", ca: "cards", profile: "citizen-card" };
const cards = [hold, before, later];
let clerk, counter;

async function clerkComes() {
  counter ??= await startBrowser(system, { end });
  await clerk?.context().close();
  clerk = await visitor(counter);
  await clerkSignsIn(clerk, system, demoClerk(system), ahead);
}
async function showsDocument() {
  await clerk.locator("#doc_type").selectOption({ index: 1 });
  await clerk.locator("#doc_expiry").fill(inYears(4));
}
async function readsCard(holder) {
  await clerk.locator("#certificate").fill(readFileSync(holder.pem, "utf8"));
}
const dossierOf = () => /^.*\/dossier\/[^/?]+/.exec(clerk.url())[0];
const idOf = (holder) => /[0-9a-f-]{36}/.exec(holder.dossier)[0];
const account = async (holder) => (await call(system, "GET", `/v1/accounts/${holder.handle}`)).body;
const vault = async (holder) => (await query(system, "MAIRIE_DATABASE_URL",
  `SELECT kind FROM mairie.secret_escrow WHERE dossier_id = '${idOf(holder)}' ORDER BY kind`)).flat();
const secrets = async (holder) => (await query(system, "IDP_DATABASE_URL",
  `SELECT s.kind FROM idp.secret s JOIN idp.account a ON a.id = s.account_id WHERE a.handle = '${holder.handle}' AND s.state = 'live' ORDER BY 1`)).flat();

async function dossierFrom(holder) {
  await clerk.locator("#preview").click();
  await clerk.locator("#confirm").click();
  await clerk.waitForURL(/\/dossier\//);
  holder.dossier = dossierOf();
  [[holder.handle]] = await query(system, "MAIRIE_DATABASE_URL", `SELECT handle FROM mairie.dossier WHERE id = '${idOf(holder)}'`);
}

// What the Imprimerie prints on the letter: card operations' key opens the record.
async function letterOf(holder) {
  const [[id, sealed]] = await query(system, "IDP_DATABASE_URL", "SELECT a.id, replace(encode(r.sealed, 'base64'), E'\\n', '') FROM idp.card_record r " +
    `JOIN idp.account a ON a.id = r.account_id WHERE a.handle = '${holder.handle}'`);
  return JSON.parse(unseal(readFileSync(join(demo, "keys", "cardops", "seal.pem")), "beffroi card record v1", id, Buffer.from(sealed, "base64")));
}

// --- the authority ------------------------------------------------------------------------------------------------------
const station = ["-sS", "--fail-with-body", "--cacert", system.CA_CERT, "--cert", system.EST_CLIENT_CERT, "--key", system.EST_CLIENT_KEY];

// The card is made and linked, as card operations do it: a station of the authority asks, over EST, by the profile's rules.
let made = 0;
async function makeCard(holder) {
  const base = path(`card-${++made}`), id = randomUUID();
  const { number } = await account(holder);
  const asked = { profile: holder.profile, holder: number, town: system.TOWN_NAME, support: "card", proof: "face_to_face", proof_ref: `essai-${made}`,
    proof_at: new Date(Date.now() + ahead - 60_000).toISOString().replace(/\.\d+/, ""), names: { number } };
  if (holder.registration) {
    const { profile, holder: whose, town, support, ...anew } = asked;
    await run("curl", [...station, "-X", "PUT", "-H", "Content-Type: application/json", "-d", JSON.stringify(anew),
      `${system.PKI_URL}/registrations/${holder.registration}/identification`]);
  } else {
    await run("curl", [...station, "-X", "PUT", "-H", "Content-Type: application/json", "-d", JSON.stringify(asked), `${system.PKI_URL}/registrations/${id}`]);
    holder.registration = id;
  }
  await openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=carte", "-keyout", `${base}.key`, "-outform", "DER",
    "-out", `${base}.csr`);
  writeFileSync(`${base}.b64`, readFileSync(`${base}.csr`).toString("base64"));
  const { stdout } = await run("curl", [...station, "-H", "Content-Type: application/pkcs10", "--data-binary", `@${base}.b64`,
    `${system.EST_URL}/${holder.registration}/simpleenroll`]);
  writeFileSync(`${base}.p7`, `-----BEGIN PKCS7-----\n${stdout.replace(/\r/g, "").trim()}\n-----END PKCS7-----\n`);
  await openssl("pkcs7", "-print_certs", "-in", `${base}.p7`, "-out", `${base}.all`);
  await openssl("x509", "-in", `${base}.all`, "-out", `${base}.pem`);
  await openssl("pkcs12", "-export", "-inkey", `${base}.key`, "-in", `${base}.pem`, "-passout", "pass:essai", "-out", `${base}.p12`);
  await idp(system, "account", "link-certificate", holder.handle, `${base}.pem`);
  holder.pem = `${base}.pem`;
  holder.key = { file: `${base}.p12`, password: "essai" };
}

// What anybody is told of a certificate: by OCSP ("" while it says "try later", after the clock was moved; openssl, whose
// clock was not, warns of the time before the answer), and whether the list has it.
const issuer = (holder) => system.ISSUING_CA.replace("servers-ca", `${holder.ca}-ca`);
async function ocsp(pem, holder) {
  const { stdout } = await openssl("ocsp", "-issuer", issuer(holder), "-cert", pem, "-url", system.OCSP_URL, "-noverify", "-no_nonce")
    .catch(() => ({ stdout: "" }));
  return (/^(?:.*: )?(good|revoked)$/m.exec(stdout)?.[1] ?? "") + (/certificateHold/.test(stdout) ? " (hold)" : "");
}
const serialOf = async (pem) => (await openssl("x509", "-in", pem, "-noout", "-serial")).stdout.trim().split("=")[1];
async function listed(pem, holder) {
  writeFileSync(path("list.crl"), Buffer.from(await (await fetch(`${system.PKI_STATUS_URL}/crl/${holder.ca}-g1.crl`)).arrayBuffer()));
  return (await openssl("crl", "-inform", "DER", "-in", path("list.crl"), "-noout", "-text")).stdout.includes(await serialOf(pem));
}
async function told(holder, want) {
  await until(async () => await ocsp(holder.pem, holder) === want);
  await until(async () => await listed(holder.pem, holder) === (want !== "good"));
}
const outcomes = async (pem) => (await query(system, "PKI_DATABASE_URL", "SELECT v.outcome FROM pki.revocation_request v JOIN pki.certificate c " +
  `ON c.id = v.certificate_id WHERE c.serial = decode('${await serialOf(pem)}', 'hex') ORDER BY v.outcome`)).flat();

// Two people of the authority let a certificate go that was on hold.
async function letGo(holder) {
  const phrase = readEndpoints(join(demo, "secrets")).PKI_PHRASE;
  for (const who of ["emma", "farid"]) {
    writeFileSync(path("answers"), `phrase = ${phrase}-cle-${who}\n`, { mode: 0o600 });
    await run(system.PKI_BIN, ["resume", "--config", system.PKI_CONFIG, "--ca", `${holder.ca}-g1`, "--serial", (await serialOf(holder.pem)).toLowerCase(),
      "--key", join(demo, "keys", "root", "persons", `${who}.key`), "--answers", path("answers")]).catch((error) => {
      assert.equal(who, "emma", error.stderr);           // one alone: it waits for the other
    });
  }
}

// --- signing in ---------------------------------------------------------------------------------------------------------
// The holder's Chromium, with the key in its own store.
async function takesKey(holder) {
  await holder.page?.context().close();
  const hosts = [system.CERT_LOGIN_URL, system.CARD_LOGIN_URL].map((url) => new URL(url).host);
  const browser = await startBrowser(system, { end, keys: [holder.key],
    policy: { AutoSelectCertificateForUrls: hosts.map((host) => JSON.stringify({ pattern: `https://[*.]${host}`, filter: {} })) } });
  holder.page = await visitor(browser);
  holder.page.setDefaultTimeout(60_000);
}
const enters = {
  sondage: async (page) => page.goto(`${system.SONDAGE_URL}/connexion`),
  agenda: async (page) => {
    await page.goto(system.AGENDA_URL);
    await page.getByRole("link", { name: "Se connecter avec Beffroi" }).click();
  },
};
async function signsIn(holder, service) {
  await enters[service](holder.page);
  await holder.page.locator(`#door-${holder.door}, #signed-in`).first().waitFor();
  if (await holder.page.locator(`#door-${holder.door}`).count() > 0) await holder.page.locator(`#door-${holder.door}`).click();
  await holder.page.locator("#signed-in").waitFor();
}
// At the provider: "" when signed in, or the words of the refusal.
async function triesAtHome(holder) {
  await holder.page.context().clearCookies();
  await holder.page.goto(`${system.IDP_BASE_URL}/login`);
  await holder.page.locator(`#door-${holder.door}`).click();
  await holder.page.locator("#logout, #other").first().waitFor();
  return await holder.page.locator("#logout").count() > 0 ? "" : shown(holder.page);
}
async function signsInAtHome(holder) {
  let said = "";
  await until(async () => (said = await triesAtHome(holder)) === "").catch((error) => assert.fail(`${error.message}: ${said}`));
}
// The same by curl, for a card that was made after the clock was moved: Chromium, whose clock was not, offers no certificate of
// tomorrow.
async function triesByCurl(holder) {
  const jar = path(`jar-${randomUUID()}`);
  const curl = async (url) => (await run("curl", ["-sS", "-L", "--max-time", "60", "--cacert", system.CA_CERT, "--cert", holder.pem, "--key",
    holder.pem.replace(/pem$/, "key"), "-H", "Accept-Language: fr", "-c", jar, "-b", jar, url])).stdout;
  const link = (await curl(`${system.IDP_BASE_URL}/login`)).match(/<a [^>]*id="door-card"[^>]*>/)[0];
  const page = await curl(new URL(/href="([^"]+)"/.exec(link)[1].replaceAll("&amp;", "&"), system.IDP_BASE_URL).href);
  return page.includes('id="logout"') ? "" : page.replace(/<[^>]+>|\s+/g, " ");
}
// The session that was there is none any more, and both services' next sign-on ends at the provider, which says why.
async function isRefused(holder, why) {
  await holder.page.goto(system.IDP_BASE_URL);
  assert.equal(await holder.page.locator("#logout").count(), 0, "the session lives on");
  for (const service of Object.keys(enters)) {
    await holder.page.context().clearCookies();
    await enters[service](holder.page);
    await holder.page.locator(`#door-${holder.door}`).click();
    await holder.page.locator("#other").waitFor();
    assert.match(await shown(holder.page), why);
    assert.ok(holder.page.url().startsWith(system.IDP_BASE_URL), holder.page.url());
  }
}

async function blocksByPaper(code) {
  const page = await visitor(counter);
  await page.goto(system.BLOCK_URL);
  await page.locator("#code").fill(code);
  await page.locator("#block").click();
  await page.locator("main").waitFor();
  const words = await shown(page);
  if (await page.locator("#reason-lost").count() > 0) await page.locator("#reason-lost").click();
  await page.context().close();
  return words;
}

// The sheet of new codes, shown once: [blocking code, return code].
async function takesNewCodes(holder) {
  await clerk.locator("#go-codes").click();
  await clerk.locator("#show").click();
  const codes = (await clerk.locator(".letter .code").allTextContents()).map((text) => text.replace(/[^A-Z0-9]/g, ""));
  await screenshot(clerk, "seed-new-codes");
  await clerk.goto(`${holder.dossier}/print`);
  for (const code of codes) assert.ok(!(await clerk.content()).replace(/\s|<[^>]*>/g, "").includes(code), "the sheet is shown twice");
  return codes;
}

// Before the paragraphs begin: three cards were ordered, made and handed over, each the way of the first paragraph.
test("three cards are in their holders' hands", { timeout: 300_000, skip: withoutPolicies }, async () => {
  broken = true;
  await clerkComes();
  for (const holder of cards) {
    await clerk.goto(`${system.MAIRIE_URL}/new/card`);
    await fillForm(clerk, holder.person, []);
    await fillAddress(clerk);
    await dossierFrom(holder);
    await waitForAction(clerk, holder.dossier, "receipt");
    holder.letter = await letterOf(holder);
    await makeCard(holder);
    await clerk.goto(`${holder.dossier}/handover`);
    await showsDocument();
    await readsCard(holder);
    await clerk.locator("#hand-over").click();
    await clerk.waitForURL(/\/acceptance/);
    await takesKey(holder);
    await signsIn(holder, "sondage");
    await signsIn(holder, "agenda");
    await told(holder, "good");
  }
  broken = false;
});

// --- Certificat ---------------------------------------------------------------------------------------------------------
sentence("Le citoyen va à la mairie et s'identifie auprès d'un fonctionnaire de l'état civil.", async () => {
  await clerk.goto(`${system.MAIRIE_URL}/new/certificate`);
  await clerk.locator("#birth_name").fill(soft.person.birth);
  await clerk.locator("#given_names").fill(soft.person.given);
  await clerk.locator("#preview").click();
  assert.match(await clerk.locator("#errors").textContent(), /pièce/, "an account for somebody who showed no document");
});

sentence("Celui-ci complète un formulaire sur le serveur mairie avec les informations suivantes: nom, prénom, " +
  "autorisations d'accès (peut voter, est un employé de la mairie…)", async () => {
  assert.equal(await clerk.locator("#line1").count(), 0, "an address is asked for");
  for (const right of ["peut_voter", "employe_mairie"]) assert.equal(await clerk.locator(`#authz_${right}`).isChecked(), false);
  await fillForm(clerk, soft.person, ["employe_mairie"]);
});

sentence("Le serveur mairie communique ces informations au serveur IDP qui crée un compte X.509, un numéro unique non séquenciel, " +
  "un OTP court de création et un OTP de révocation.", async () => {
  await dossierFrom(soft);
  await waitForSheet(clerk);
  const there = await account(soft);
  assert.deepEqual([there.type, there.state, there.authorisations], ["x509_soft", "pending", [{ code: "employe_mairie" }]]);
  assert.match(there.number, /^[A-Z2-9]{15}$/);
  assert.deepEqual(await secrets(soft), ["creation", "revocation"]);
});

sentence("Le serveur mairie stocke l'OTP de révocation et envoie une page web avec des instructions et les deux OTP.", async () => {
  await clerk.locator("#show").click();
  soft.codes = await readSheet(clerk);
  soft.sheet = await shown(clerk);
  assert.match(soft.sheet, /Prenez le certificat/);
  assert.deepEqual(await vault(soft), ["revocation"]);
});

sentence("Cette page imprimée par le fonctionnaire de la mairie et remise au citoyen.", async () => {
  const pdf = (await clerk.pdf({ format: "A4", preferCSSPageSize: true, tagged: true })).toString("latin1");
  assert.equal(pdf.match(/\/Type\s*\/Page\b(?!s)/g).length, 1);
  await clerk.goto(`${soft.dossier}/print`);
  for (const code of [soft.codes.creation, soft.codes.revocation])
    assert.ok(!(await clerk.content()).replace(/\s|<[^>]*>/g, "").includes(code), "the sheet is shown twice");
});

sentence("Les instructions contiennent une adresse email à laquelle le citoyen doit envoyer un courrier électronique dont le sujet est " +
  "l'OTP court.", async () => {
  assert.ok(soft.sheet.includes(system.MAIL_IN_ADDRESS));
  soft.address = `${soft.person.birth.toLowerCase()}@citoyens.test`;
  await sendMail(system, { from: soft.address, subject: soft.codes.creation });
});

sentence("Il reçoit ensuite un email de l'IDP contenant une URL et un nouveau OTP.", async () => {
  const { text } = await waitForMail(system, (m) => m.headers.to?.includes(soft.address));
  soft.url = text.split(/\s+/).find((part) => part.startsWith(`${system.IDP_BASE_URL}/activate/`));
  soft.code = /^\s*(\d{4}) ?(\d{4})\s*$/m.exec(text).slice(1).join("");
  assert.ok(!text.replace(/\W/g, "").includes(soft.codes.creation), "the code of the paper comes back");
});

sentence("Il se connecte à cette URL qui lui propose un formulaire permettant d'entrer l'OTP.", async () => {
  soft.page = await visitor(counter, { javaScriptEnabled: false });
  for (let i = 0; i < 3; i++) await soft.page.goto(soft.url);     // looking uses nothing up
  await soft.page.locator("#code").fill(soft.code);
});

sentence("Il valide ce formulaire et l'IDP génère alors un certificat qui est transmis à l'utilisateur.", async () => {
  const { page } = soft;
  await page.locator("#check").click();
  await page.locator("#choose").waitFor();
  soft.devices = await page.locator("input[name=device]").evaluateAll((all) => all.map((one) => one.value)).catch(() => null) ??
    [...(await page.content()).matchAll(/name="device" value="([a-z]+)"/g)].map((m) => m[1]);
  soft.files = {};
  for (const device of ["windows", "firefox"]) {                  // a wrong choice is made again
    await page.locator(`#device-${device}`).check();
    await page.locator("#choose").click();
    await page.locator("#download").waitFor();
    soft.files[device] = /certificat\.[a-z0-9]+/.exec(await page.content())?.[0];
    if (device === "windows") await page.goBack();
  }
  const password = (await page.locator("#passphrase").textContent()).trim();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#download").click()]);
  await download.saveAs(path("soft.p12"));
  assert.equal(download.suggestedFilename(), "certificat.p12");
  soft.key = { file: path("soft.p12"), password };
  await openssl("pkcs12", "-in", path("soft.p12"), "-passin", `pass:${password}`, "-nokeys", "-clcerts", "-out", path("soft.pem"));
  soft.pem = path("soft.pem");
  const { stdout } = await openssl("x509", "-in", soft.pem, "-noout", "-subject");
  assert.ok(stdout.includes((await account(soft)).number) && !stdout.includes(soft.person.birth), stdout);
});

sentence("La procédure pour l'envoi du certificat est différente d'un navigateur à l'autre, il est sans doute nécessaire d'y avoir une " +
  "étape permettant au citoyen d'entrer les informations concernant son navigateur. (cf Thawte pour exemple)", async () => {
  for (const device of ["firefox", "windows", "macos", "ios", "android", "unknown"]) assert.ok(soft.devices.includes(device), device);
});

sentence("Le compte sur l'IDP est activé.", async () => {
  await until(async () => (await account(soft)).state === "active");
  await takesKey(soft);
  await signsIn(soft, "sondage");
  await signsIn(soft, "agenda");
  await told(soft, "good");
});

// --- Révocation -----------------------------------------------------------------------------------------------------------
sentence("Si le citoyen est toujours en possession de l'OTP de révocation, il va à l'URL mentionnée sur le papier et encode l'OTP.", async () => {
  assert.ok(soft.sheet.includes(system.BLOCK_URL.replace("https://", "")), soft.sheet);
  for (const code of [soft.codes.revocation, hold.letter.revocation, before.letter.revocation])
    assert.match(await blocksByPaper(code), /Compte bloqué/);
});

sentence("Son compte sur l'IDP est désactivé.", async () => {
  for (const holder of [soft, hold, before]) {
    assert.equal((await account(holder)).state, "suspended");
    await isRefused(holder, /compte est bloqué|certificat est suspendu/);
    await clerk.goto(holder.dossier);
    await until(async () => /bloqu/i.test(await clerk.locator("main .state").first().textContent()) || !await clerk.reload());
  }
  // the account at once, its certificate as K2 has it
  await told(hold, "revoked (hold)");
  for (const holder of [soft, before]) {
    await until(async () => (await outcomes(holder.pem)).includes("deferred"));
    await told(holder, "good");
  }
});

sentence("Sinon, le citoyen va à la mairie et s'identifie auprès d'un fonctionnaire de l'état civil.", async () => {
  await clerk.goto(`${system.MAIRIE_URL}/search?q=${encodeURIComponent(later.person.birth)}`);
  await clerk.locator(`a[href*="${idOf(later)}"]`).first().click();
  await clerk.locator("#action-block").click();
  await clerk.locator("#reason-lost").check();
  await clerk.locator("#block").click();
  assert.match(await clerk.locator("#errors").textContent(), /pièce/, "a block for somebody who showed no document");
  await showsDocument();
});

sentence("Celui-ci se connecte sur le serveur mairie et y récupère l'OTP de révocation.", async () => {
  assert.ok((await vault(later)).includes("revocation"));
  assert.ok(!(await clerk.content()).replace(/\s|<[^>]*>/g, "").includes(later.letter.revocation), "the clerk sees the code");
});

sentence("Il l'utilise et le compte du citoyen est désactivé.", async () => {
  await clerk.locator("#reason-lost").check();
  await clerk.locator("#block").click();
  await until(async () => (await account(later)).state === "suspended");
  await until(async () => !(await vault(later)).includes("revocation"));
  await isRefused(later, /compte est bloqué/);
  await until(async () => (await outcomes(later.pem)).includes("deferred"));
  await told(later, "good");
});

// --- Réactivation -----------------------------------------------------------------------------------------------------------
// The three acts at the counter that the last three sentences name.
async function isThere(holder) {
  await waitForAction(clerk, holder.dossier, "reactivate");
  await clerk.goto(`${holder.dossier}/reactivate`);
  await clerk.locator("#pin").fill(holder.letter.reactivation_pin);
  await clerk.locator("#reactivate").click();
  assert.match(await clerk.locator("#errors").textContent(), /pièce/, "a way back for somebody who showed no document");
  await showsDocument();
  await readsCard(holder);
}
async function secretsAreFetched(holder) {
  assert.deepEqual((await vault(holder)).filter((kind) => kind !== "revocation"), ["reactivation_otp", "reactivation_pin"]);
  assert.ok(!(await clerk.content()).includes(holder.letter.reactivation_pin), "the clerk sees the code");
  await clerk.locator("#pin").fill(holder.letter.reactivation_pin);
}
async function comesBack(holder) {
  await clerk.locator("#reactivate").click();
  await clerk.waitForURL(/\/reactivated/);
  assert.match(await shown(clerk), /Votre carte marche de nouveau/);
  assert.equal((await account(holder)).state, "active");
  [holder.revocation, holder.pin] = await takesNewCodes(holder);
  assert.ok(holder.revocation !== holder.letter.revocation && holder.pin !== holder.letter.reactivation_pin);
  assert.match(await blocksByPaper(holder.letter.revocation), /n'est plus valable/);
  assert.equal((await account(holder)).state, "active", "the old paper blocks");
  assert.deepEqual(await secrets(holder), ["reactivation_otp", "reactivation_pin", "revocation"]);
}

sentence("Il s'agit du cas où le citoyen, après avoir suivi la procédure de révocation, retrouve sa carte.", async () => {
  for (const holder of cards) await waitForAction(clerk, holder.dossier, "reactivate");
  // who has no card gets new codes instead
  await waitForAction(clerk, soft.dossier, "reissue");
  assert.equal(await clerk.locator("#action-reactivate").count(), 0);
});

sentence("Le citoyen va à la mairie et s'identifie auprès d'un fonctionnaire de l'état civil.", async () => isThere(hold));

sentence("Celui-ci se connecte sur le serveur mairie et y récupère le mot de passe de réactivation.", async () => secretsAreFetched(hold));

sentence("Il l'utilise et le compte du citoyen est réactivé.", async (t) => {
  await t.test("hold: two of the authority let the certificate go", async () => {
    await comesBack(hold);
    await told(hold, "revoked (hold)");
    await letGo(hold);
    await told(hold, "good");
    await signsInAtHome(hold);
    await signsIn(hold, "sondage");
    await signsIn(hold, "agenda");
  });
  await t.test("defer, before 24 hours: the certificate was never revoked", async () => {
    await isThere(before);
    await secretsAreFetched(before);
    await comesBack(before);
    await until(async () => (await outcomes(before.pem)).includes("withdrawn"));
    await told(before, "good");
    await signsInAtHome(before);
    await signsIn(before, "sondage");
    await signsIn(before, "agenda");
  });
  await t.test("defer, after 24 hours: it is revoked for good, and another card takes its place", async () => {
    await idp(system, "clock", "--advance", "25h");
    ahead = 25 * 3600_000;
    await told(later, "revoked");
    await told(soft, "revoked");
    for (const holder of [hold, before]) await told(holder, "good");
    await clerkComes();
    await until(async () => (await query(system, "IDP_DATABASE_URL", "SELECT c.state FROM idp.credential_certificate c JOIN idp.account a " +
      `ON a.id = c.account_id WHERE a.handle = '${later.handle}'`)).flat()[0] === "revoked");
    await isThere(later);
    await secretsAreFetched(later);
    await clerk.locator("#reactivate").click();
    await clerk.locator(".notice.bad").waitFor();
    assert.match(await shown(clerk), /retiré pour toujours/);
    assert.equal((await account(later)).state, "suspended");

    const old = { ...later };
    await makeCard(later);
    await isThere(later);
    await secretsAreFetched(later);
    await comesBack(later);
    let said = "";
    await until(async () => (said = await triesByCurl(later)) === "").catch((error) => assert.fail(`${error.message}: ${said}`));
    await told(later, "good");
    assert.match(await triesByCurl(old), /annulé|suspendu/);
    assert.match(await triesAtHome(old), /annulé|suspendu/);
    await told(old, "revoked");
    // the others' certificates live on, and the codes of the new sheets are good
    await signsInAtHome(before);
    assert.match(await blocksByPaper(before.revocation), /Compte bloqué/);
    assert.equal((await account(before)).state, "suspended");
    before.letter = { revocation: before.revocation, reactivation_pin: before.pin };
    await isThere(before);
    await secretsAreFetched(before);
    await comesBack(before);
    await signsInAtHome(before);
  });
});

test("no page complained", { skip: withoutPolicies }, () => {
  for (const page of [clerk, ...cards.map((holder) => holder.page), soft.page]) assert.deepEqual(page?.failures ?? [], []);
});
