// certificate.test.mjs: people sign in by certificate in Chromium and Firefox, with their own TLS and stores, a card among
// them, and with curl and openssl.
//
// Beside the instance stands one more web node over the same database, with a certificate door; authorities are made here.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { assertAccessible, assertReflows, idp, newCitizen, screenshot, startBrowser, startSystem, TOP, visitor, walkByKeyboard,
  withoutPolicies } from "./lib.mjs";
import { startFirefox, until } from "./firefox.mjs";
import { call } from "../../tools/demo-town.mjs";

const run = promisify(execFile);
const LIMIT = { timeout: 180_000 };
const BROWSER = { ...LIMIT, skip: withoutPolicies };
// Undone before the instance goes: hooks run in the order in which they were set.
const undo = [];
after(async () => {
  for (const step of undo.reverse()) await step();
});
const system = await startSystem();
const dir = mkdtempSync(join(tmpdir(), "beffroi-certificate."));
undo.push(() => rmSync(dir, { recursive: true, force: true }));
const path = (...names) => join(dir, ...names);

// --- authorities ----------------------------------------------------------------------------------------------------
const openssl = (...words) => run("openssl", words);

async function authority(name) {
  const base = path(name);
  await openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", `/O=Essai/CN=${name}`,
    "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", `${base}.key`, "-out", `${base}.pem`);
  writeFileSync(`${base}.txt`, "");
  writeFileSync(`${base}.number`, "01");
  writeFileSync(`${base}.cnf`, `[ca]\ndefault_ca=d\n[d]\ndatabase=${base}.txt\ncrlnumber=${base}.number\ndefault_md=sha256\ncrl_extensions=e\n` +
    "[e]\nauthorityKeyIdentifier=keyid:always\n");
  await openssl("ca", "-gencrl", "-config", `${base}.cnf`, "-cert", `${base}.pem`, "-keyfile", `${base}.key`, "-crldays", "7", "-out", `${base}.crl`);
  return base;
}

let serial = Date.now();
async function issue(by, name, extension) {
  const base = path(name);
  await openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`, "-keyout", `${base}.key`, "-out", `${base}.csr`);
  writeFileSync(`${base}.ext`, extension ?? "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n" +
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
  await openssl("x509", "-req", "-in", `${base}.csr`, "-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-set_serial", String(serial++), "-days", "20",
    "-extfile", `${base}.ext`, "-out", `${base}.pem`);
  await openssl("pkcs12", "-export", "-inkey", `${base}.key`, "-in", `${base}.pem`, "-passout", "pass:essai", "-out", `${base}.p12`);
  chmodSync(`${base}.key`, 0o600);
  return { pem: `${base}.pem`, key: `${base}.key`, p12: { file: `${base}.p12`, password: "essai" } };
}

// --- a node with a certificate door ------------------------------------------------------------------------------------
// Below those that the kernel gives to outgoing connections, of which a browser has many.
const freePort = () => new Promise((resolve) => {
  const port = 20000 + Math.floor(Math.random() * 12000);
  const server = createServer().listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  server.once("error", () => resolve(freePort()));
});

async function startNode() {
  const host = new URL(system.IDP_BASE_URL).hostname;
  const certHost = `certificat.${host.replace(/^[^.]+\./, "")}`;
  const [port, certPort] = [await freePort(), await freePort()];
  const ours = await authority("Serveurs");
  const server = await issue(ours, "serveur", `subjectAltName=DNS:${certHost},DNS:*.${certHost}\n`);
  const url = `https://${host}:${port}`, certUrl = `https://${certHost}:${certPort}`;
  const settings = { base_url: url, listen: `127.0.0.1:${port}`, "cert.url": certUrl, "cert.listen": `127.0.0.1:${certPort}`,
    "cert.tls.cert": server.pem, "cert.tls.key": server.key };
  const kept = readFileSync(system.IDP_CONFIG, "utf8").split("\n").filter((line) => !/^(base_url|listen|town\.|cert\.)/.test(line));
  writeFileSync(path("node.conf"), [...kept, ...Object.entries(settings).map(([k, v]) => `${k} = ${v}`), ""].join("\n"));
  const node = spawn(system.IDP_BIN, ["serve", "--config", path("node.conf")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  node.stderr.on("data", (part) => { said += part; });
  const ended = new Promise((resolve) => node.once("exit", resolve));
  undo.push(async () => {
    node.kill("SIGTERM");
    await ended;
  });
  for (let i = 0; i < 300; i++) {
    const open = await new Promise((resolve) => {
      const socket = connect(certPort, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return { url, certUrl, certPort, certHost, authority: `${ours}.pem` };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the node does not listen: ${said.slice(-2000)}`);
}

const soft = await authority("Logiciels"), card = await authority("Cartes");
for (const [base, use] of [[soft, "software"], [card, "card"]]) {
  const name = `e2e-${use}-${process.pid}`;
  await idp(system, "trust", "add", `${base}.pem`, "--name", name, "--use", use, "--crl", `${base}.crl`);
  undo.push(() => idp(system, "trust", "remove", name));
}
// One whose certificates citizens may add themselves, on their page.
const agents = await authority("Agents");
await idp(system, "trust", "add", `${agents}.pem`, "--name", `e2e-agents-${process.pid}`, "--use", "card", "--crl", `${agents}.crl`,
  "--link-from-session");
undo.push(() => idp(system, "trust", "remove", `e2e-agents-${process.pid}`));
const node = await startNode();
const seen = { ...system, NODE_URL: node.url, DOOR_URL: node.certUrl };

async function person(by) {
  const who = await newCitizen(system);
  const certificate = await issue(by, who.login);
  await idp(system, "account", "link-certificate", who.handle, certificate.pem);
  return { ...who, ...certificate };
}

// Chromium as an administrator of many desks sets it up: it sends the one certificate it has to the door without a question.
const chromium = (keys) => startBrowser(seen, {
  authorities: [node.authority], keys,
  policy: { AutoSelectCertificateForUrls: [JSON.stringify({ pattern: node.certUrl, filter: {} })] },
});

async function toDoor(page, door = "#door-certificate") {
  await page.goto(`${node.url}/login`);
  await page.locator(door).click();
}
const signedIn = (page) => page.locator("#logout").waitFor();

test("a software certificate in the browser's store", BROWSER, async () => {
  const who = await person(soft);
  const browser = await chromium([who.p12]);
  const page = await visitor(browser);
  await page.goto(`${node.url}/login`);
  await assertAccessible(page, "sign-in with doors");
  await assertReflows(page, "sign-in with doors");
  await walkByKeyboard(page, "sign-in with doors");
  await screenshot(page, "certificate-doors");
  await page.locator("#door-certificate").click();
  await signedIn(page);
  assert.ok(page.url().startsWith(`${node.url}/`), page.url());
  await screenshot(page, "certificate-signed-in");
  // Back goes on where the person is, and a new visit asks nothing.
  await page.goBack();
  await page.goto(`${node.url}/login`);
  await signedIn(page);
  assert.deepEqual(page.failures, []);

  // Without scripts it is the same.
  const plain = await visitor(browser, { javaScriptEnabled: false });
  await toDoor(plain);
  await signedIn(plain);
});

test("the citizen's certificate of our own authority, at a door with fresh names", BROWSER, async () => {
  const door = new URL(system.CERT_LOGIN_URL);
  const browser = await startBrowser(system, {
    keys: [{ file: system.CITIZEN_P12, password: system.CITIZEN_P12_PASSWORD }],
    policy: { AutoSelectCertificateForUrls: [JSON.stringify({ pattern: `https://[*.]${door.host}`, filter: {} })] },
  });
  const page = await visitor(browser);
  await page.goto(`${system.SONDAGE_URL}/connexion`);
  await page.locator("#door-certificate").click();
  await page.locator("#signed-in").waitFor();
  assert.ok(page.url().startsWith(system.SONDAGE_URL), page.url());
  assert.deepEqual(page.failures, []);
});

test("no certificate, then the other door", BROWSER, async () => {
  const who = await newCitizen(system);
  const browser = await chromium([]);
  const page = await visitor(browser);
  await toDoor(page, "#door-card");
  await page.locator("#again").waitFor();
  assert.match(await page.locator("main").textContent(), /aucun certificat/);
  await assertAccessible(page, "no certificate");
  await assertReflows(page, "no certificate");
  await walkByKeyboard(page, "no certificate");
  await screenshot(page, "certificate-none");
  await page.locator("#again").click();
  await page.locator("#again").waitFor();
  await page.locator("#other").click();
  await page.locator("#login").fill(who.login);
  await page.locator("#password").fill(who.password);
  await page.locator("#signin").click();
  await signedIn(page);
  assert.deepEqual(page.failures, []);
});

test("a certificate of nobody, and one of a blocked account", BROWSER, async () => {
  const stranger = await issue(soft, "personne");
  let page = await visitor(await chromium([stranger.p12]));
  await toDoor(page);
  await page.locator("#again").waitFor();
  assert.match(await page.locator("main").textContent(), /lié à aucun compte/);
  await screenshot(page, "certificate-unknown");

  const who = await person(card);
  const blocked = await call(system, "POST", `/v1/accounts/${who.handle}/block`, { body: { reason: "lost" } });
  assert.equal(blocked.status, 200);
  page = await visitor(await chromium([who.p12]), { locale: "en-GB" });
  await toDoor(page, "#door-card");
  await page.locator("#other").waitFor();
  assert.match(await page.locator("main").textContent(), /This account is blocked/);
  assert.equal(await page.locator("#again").count(), 0);
  await screenshot(page, "certificate-blocked");
});

for (const javaScriptEnabled of [true, false]) {
  const kind = javaScriptEnabled ? "" : ", without scripts";
  test(`a citizen adds an agent's card from their page, signs in with it, and takes it away${kind}`, BROWSER, async () => {
    const who = await newCitizen(system), badge = await issue(agents, `Agent ${who.login}`);
    const options = { javaScriptEnabled, locale: javaScriptEnabled ? "fr-FR" : "en-GB" };
    const browser = await chromium([badge.p12]);
    const page = await visitor(browser, options);
    const look = async (name) => {
      await screenshot(page, `link-${name}${javaScriptEnabled ? "" : "-plain"}`);
      if (!javaScriptEnabled) return;
      await assertAccessible(page, name);
      await assertReflows(page, name);
      await walkByKeyboard(page, name);
    };
    await page.goto(`${node.url}/login`);
    await page.locator("#login").fill(who.login);
    await page.locator("#password").fill(who.password);
    await page.locator("#signin").click();
    await page.locator("#go-cards").click();
    await look("cards");
    await page.locator("#add-card").click();
    await page.locator("#link").waitFor();
    assert.equal(await page.locator("#subject").textContent(), `CN=Agent ${who.login}`);
    assert.equal(await page.locator("#issuer").textContent(), "CN=Agents,O=Essai");
    await look("confirm");
    await page.locator("#link").click();
    await page.locator(".notice").waitFor();
    await look("added");
    // Back, and the button once more: it is there once.
    await page.goBack();
    await page.locator("#link").click();
    await page.locator(".notice").waitFor();
    assert.equal(await page.locator("button[value=remove]").count(), 1);
    // Shown again, and by somebody else, in another session of the same browser.
    await page.locator("#add-card").click();
    await page.locator("#back").waitFor();
    await look("mine");
    const other = await newCitizen(system), theirs = await visitor(browser, options);
    await theirs.goto(`${node.url}/login`);
    await theirs.locator("#login").fill(other.login);
    await theirs.locator("#password").fill(other.password);
    await theirs.locator("#signin").click();
    await theirs.locator("#go-cards").click();
    await theirs.locator("#add-card").click();
    await theirs.locator("#again").waitFor();
    assert.match(await theirs.locator("h1").textContent(), javaScriptEnabled ? /déjà lié à un compte/ : /bound to an account already/);
    // It signs in, and takes itself away with the session that it began.
    await page.context().clearCookies();
    await toDoor(page, "#door-card");
    await signedIn(page);
    await page.locator("#go-cards").click();
    await page.locator("button[value=remove]").click();
    await page.locator("#back").waitFor();
    await look("removed");
    await page.locator("#back").click();
    await page.locator("#door-card").click();
    await page.locator("#again").waitFor();
    assert.match(await page.locator("main").textContent(), javaScriptEnabled ? /lié à aucun compte/ : /belongs to no account/);
    assert.deepEqual(page.failures, []);
  });
}

test("curl and openssl s_client", LIMIT, async () => {
  const who = await person(card);
  const jar = path("jar");
  const curl = (...words) => run("curl", ["-sS", "-L", "--max-redirs", "10", "-b", jar, "-c", jar, "--cacert", path("both.pem"), "-w", "\n%{http_code} %{url_effective}",
    ...[new URL(node.url).hostname, node.certHost].flatMap((host) => ["--connect-to", `${host}::127.0.0.1:`]), ...words]);
  writeFileSync(path("both.pem"), readFileSync(system.CA_CERT, "utf8") + readFileSync(node.authority, "utf8"));
  const last = (out) => out.trim().split("\n").at(-1).split(" ");
  let [status, url] = last((await curl(`${node.url}/login`)).stdout);
  assert.equal(status, "200");
  const flow = url;
  [status, url] = last((await curl(`${flow}/certificate`)).stdout);
  assert.equal(status, "403");                                       // none given: the page
  for (const version of ["--tls-max=1.2", "--tlsv1.3"]) {
    rmSync(jar, { force: true });
    [, url] = last((await curl(`${node.url}/login`)).stdout);
    const out = (await curl("--cert", who.pem, "--key", who.key, ...version.split("="), `${url}/certificate`)).stdout;
    assert.deepEqual(last(out), ["200", `${node.url}/`], out);
    assert.match(out, /logout/);
  }
  const { stdout } = await run("sh", ["-c", `printf 'GET / HTTP/1.1\\r\\nHost: ${node.certHost}\\r\\n\\r\\n' | openssl s_client -quiet -no_ign_eof ` +
    `-connect 127.0.0.1:${node.certPort} -servername ${node.certHost} -CAfile ${path("both.pem")} -verify_return_error -cert ${who.pem} -key ${who.key} 2>/dev/null; true`]);
  if (stdout !== "") assert.match(stdout, /^HTTP\/1\.1 303/);
  const names = (await run("sh", ["-c", `openssl s_client -connect 127.0.0.1:${node.certPort} -servername ${node.certHost} </dev/null 2>/dev/null; true`])).stdout;
  for (const name of ["Logiciels", "Cartes"]) assert.match(names, new RegExp(`O = Essai, CN = ${name}`));
});

// --- a card in a reader: a token of SoftHSM, behind a module that can draw the card (tests/lib/card_module.c) --------------
const MODULE = join(process.env.BEFFROI_BUILD ?? join(TOP, "build"), "tests", "card_module.so");
const NO_MODULE = existsSync(MODULE) ? false : `no ${MODULE}: build the tests`;
const PIN = "4711";

async function cardOf(who) {
  const folder = mkdtempSync(path("card.")), store = `sql:${folder}`;
  const env = { SOFTHSM2_CONF: join(folder, "softhsm2.conf"), BEFFROI_CARD_OUT: join(folder, "out") };
  const tool = (program, ...words) => run(program, words, { env: { ...process.env, ...env } });
  mkdirSync(join(folder, "tokens"));
  writeFileSync(env.SOFTHSM2_CONF, `directories.tokendir = ${join(folder, "tokens")}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  writeFileSync(join(folder, "pin"), PIN);
  await tool("softhsm2-util", "--init-token", "--free", "--label", "carte", "--so-pin", "12345678", "--pin", PIN);
  await tool("certutil", "-N", "-d", store, "--empty-password");
  await tool("modutil", "-force", "-dbdir", store, "-add", "carte", "-libfile", MODULE);
  await tool("pk12util", "-i", who.p12.file, "-d", store, "-h", "carte", "-k", join(folder, "pin"), "-W", who.p12.password);
  return { modules: { carte: MODULE }, env, draw: () => writeFileSync(env.BEFFROI_CARD_OUT, ""), insert: () => rmSync(env.BEFFROI_CARD_OUT) };
}

test("a card in Chromium, drawn and put back", { ...LIMIT, skip: withoutPolicies || NO_MODULE }, async () => {
  const who = await person(card), token = await cardOf(who), door = new URL(system.CARD_LOGIN_URL);
  // Chromium without a screen has nowhere to ask for the PIN: the module does, as the middleware of many cards.
  const browser = await startBrowser(system, { modules: token.modules, env: { ...token.env, BEFFROI_CARD_PIN: PIN },
    policy: { AutoSelectCertificateForUrls: [JSON.stringify({ pattern: `https://[*.]${door.host}`, filter: {} })] } });
  const page = await visitor(browser);
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await page.locator("#door-card").click();
  await signedIn(page);
  assert.match(await page.locator("main").textContent(), /carte/);
  // Drawn during the session: the session goes on, and a new proof is not to be had.
  token.draw();
  await page.goto(`${system.IDP_BASE_URL}/`);
  await signedIn(page);
  await page.context().clearCookies();
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await page.locator("#door-card").click();
  await page.locator("#again").waitFor();
  assert.match(await page.locator("main").textContent(), /aucun certificat.*Glissez-la dans le lecteur/s);
  token.insert();
  // NSS looks at its readers when it likes: who tries too soon tries again.
  for (let i = 0; i < 10 && await page.locator("#logout").count() === 0; i++) {
    await page.waitForTimeout(500);
    await page.locator("#again").click();
    await page.locator("#again, #logout").waitFor();
  }
  await signedIn(page);
  assert.deepEqual(page.failures, []);
});

// --- Firefox ------------------------------------------------------------------------------------------------------------
const firefox = (options = {}) => startFirefox({ authorities: [system.CA_CERT, node.authority], ...options });

test("a software certificate in Firefox, which chooses by itself", LIMIT, async () => {
  const who = await person(soft);
  const browser = await firefox({ keys: [who.p12], prefs: { "security.default_personal_cert": "Select Automatically" } });
  await browser.goto(`${node.url}/login`);
  await browser.click("#door-certificate");
  await browser.find("#logout");
  assert.ok((await browser.url()).startsWith(`${node.url}/`), await browser.url());
});

test("a card in Firefox, which asks: cancelled, chosen, drawn and put back", { timeout: 300_000, skip: NO_MODULE }, async () => {
  const who = await person(card), token = await cardOf(who);
  const browser = await firefox({ modules: token.modules, env: token.env, prefs: { "security.default_personal_cert": "Ask Every Time" } });
  const follow = async (link) => browser.begin(await browser.attribute(link, "href"));
  const refused = async () => {
    await browser.find("#again");
    const text = await browser.text();
    assert.match(text, /aucun certificat/);
    return text;
  };
  await browser.answerPin(PIN);
  // At a door of one name Firefox keeps the choice, a refusal too, and our page says so.
  await browser.goto(`${node.url}/login`);
  await follow("#door-card");
  const offered = await browser.answerCertificate("cancel");
  assert.equal(offered.length, 1, offered);
  assert.match(offered[0], new RegExp(who.login));
  assert.match(await refused(), /fermez toutes ses fenêtres/);
  const before = await browser.url();
  await follow("#again");
  await until(async () => (await browser.url()) !== before, "the page once more, without a question");
  await refused();
  // At a door with fresh names it asks again.
  await browser.goto(`${system.IDP_BASE_URL}/login`);
  await follow("#door-card");
  await browser.answerCertificate("cancel");
  assert.doesNotMatch(await refused(), /fermez toutes/);
  await follow("#again");
  await browser.answerCertificate("accept");
  await browser.find("#logout");
  assert.equal(await browser.prompts(), 1);                           // the PIN, typed into Firefox's own question
  assert.match(await browser.text(), /carte/);
  // Drawn: the session goes on; a new proof needs the card, and its PIN.
  token.draw();
  await browser.goto(`${system.IDP_BASE_URL}/`);
  await browser.find("#logout");
  await browser.forget();
  await browser.goto(`${system.IDP_BASE_URL}/login`);
  await follow("#door-card");
  assert.match(await refused(), /Glissez-la dans le lecteur/);
  token.insert();
  // NSS looks at a reader once in a second, and may ask before it has read the card: the person tries once more.
  await until(async () => {
    await follow("#again");
    return await browser.answerCertificate("accept", 20).catch(() => null) && browser.find("#logout", 20).catch(() => null);
  }, "a session by a card that is back", 120);
  assert.ok(await browser.prompts() >= 2);                            // once more for each try after it was drawn
});
