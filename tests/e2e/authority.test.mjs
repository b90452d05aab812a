// authority.test.mjs: the certification authority as others see it: curl and openssl at its doors, nothing of ours.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { startSystem } from "./lib.mjs";

const system = await startSystem();
const folder = mkdtempSync(join(tmpdir(), "beffroi-authority-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const LIMIT = { timeout: 120_000 };
const file = (name) => join(folder, name);

/** Runs a program; its words are given back, whatever its exit status. */
function run(program, ...words) {
  return new Promise((resolve, reject) => {
    execFile(program, words, { encoding: "buffer", maxBuffer: 1 << 24, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== "number") return reject(error);
      resolve({ status: error ? error.code : 0, out: stdout, text: `${stdout}${stderr}` });
    });
  });
}
async function openssl(...words) {
  const { status, text } = await run("openssl", ...words);
  assert.equal(status, 0, `openssl ${words.join(" ")}\n${text}`);
  return text;
}

const station = ["--cert", system.EST_CLIENT_CERT, "--key", system.EST_CLIENT_KEY];
let calls = 0;
/** curl: { status, headers, body }. */
async function call(url, { method = "GET", body, type, headers = [], as = station } = {}) {
  const name = file(`call-${(calls += 1)}`);
  const words = ["-sS", "--max-time", "30", "--cacert", system.CA_CERT, ...as, "-X", method, "-D", `${name}.head`, "-o", `${name}.body`];
  for (const header of headers) words.push("-H", header);
  if (body !== undefined) {
    writeFileSync(`${name}.sent`, body);
    words.push("-H", `Content-Type: ${type}`, "--data-binary", `@${name}.sent`);
  }
  const { status, text } = await run("curl", ...words, url);
  assert.equal(status, 0, `${method} ${url}: ${text}`);
  const head = readFileSync(`${name}.head`, "latin1");
  let content = Buffer.alloc(0);
  try { content = readFileSync(`${name}.body`); } catch { /* an empty answer leaves no file */ }
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)[1]), head, body: content };
}
const json = (url, method, value, headers) =>
  call(url, { method, body: JSON.stringify(value), type: "application/json", headers });

/** A new key and a request for it; the request names somebody else than the registration does. */
async function request(name) {
  await openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=ATTACKER.example",
    "-keyout", file(`${name}.key`), "-outform", "DER", "-out", file(`${name}.csr`));
  return readFileSync(file(`${name}.csr`)).toString("base64");
}
/** EST simpleenroll: the certificate in a PEM file. */
async function enrol(path, csr, name, operation = "simpleenroll") {
  const answer = await call(`${system.EST_URL}${path}/${operation}`, { method: "POST", body: csr, type: "application/pkcs10" });
  assert.equal(answer.status, 200, answer.body.toString());
  assert.match(answer.head, /^Content-Type: application\/pkcs7-mime; smime-type=certs-only/im);
  writeFileSync(file(`${name}.p7`), Buffer.from(answer.body.toString(), "base64"));
  await openssl("pkcs7", "-inform", "DER", "-in", file(`${name}.p7`), "-print_certs", "-out", file(`${name}.pem`));
  return file(`${name}.pem`);
}
const field = async (pem, what) => (await openssl("x509", "-in", pem, "-noout", `-${what}`, "-nameopt", "RFC2253,utf8,-esc_msb")).trim();
const serialOf = async (pem) => (await field(pem, "serial")).replace("serial=", "").toLowerCase();

/** A citizen's software certificate under a pseudonym, from registration to file. */
async function citizen(name) {
  const id = randomUUID();
  const number = randomBytes(8).toString("hex");
  const body = { profile: "citizen-soft", holder: `test-${number}`, support: "software", proof: "none", names: { number } };
  const made = await json(`${system.PKI_URL}/registrations/${id}`, "PUT", body);
  assert.ok(made.status === 200 || made.status === 201, made.body.toString());
  const pem = await enrol(`/${id}`, await request(name), name);
  const chain = file(`${name}-ca.pem`);
  const text = await openssl("x509", "-in", pem, "-noout", "-text");
  const issuer = /CA Issuers - URI:(\S+)/.exec(text)[1];
  const ca = await call(issuer);
  assert.equal(ca.status, 200);
  writeFileSync(file(`${name}-ca.der`), ca.body);
  await openssl("x509", "-inform", "DER", "-in", file(`${name}-ca.der`), "-out", chain);
  return { id, number, pem, chain, serial: await serialOf(pem), holder: body.holder, ca: /([a-z0-9-]+)\.cer$/.exec(issuer)[1],
    lists: /URI:(\S+)\.crl/.exec(text)[1].replace(/-delta$/, "") };
}
/** What openssl's OCSP client reads: "good", "revoked", "unknown". */
async function ocsp(pem, issuer) {
  const { text } = await run("openssl", "ocsp", "-issuer", issuer, "-cert", pem, "-url", system.OCSP_URL, "-CAfile", system.CA_CERT,
    "-verify_other", issuer, "-no_cert_checks");
  assert.match(text, /Response verify OK/, text);
  return /: (good|revoked|unknown)$/m.exec(text)[1];
}
/** A list, fetched and verified by openssl: its text. */
async function list(url, issuer) {
  const answer = await call(url);
  assert.equal(answer.status, 200);
  assert.match(answer.head, /^Content-Type: application\/pkix-crl/im);
  const name = file(`list-${(calls += 1)}.crl`);
  writeFileSync(name, answer.body);
  const text = await openssl("crl", "-inform", "DER", "-in", name, "-noout", "-text", "-CAfile", issuer);
  assert.match(text, /verify OK/);
  return text;
}
async function eventually(what, seconds, check) {
  const begin = performance.now();
  while (!(await check())) {
    assert.ok(performance.now() - begin < seconds * 1000, `${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return performance.now() - begin;
}

test("authority: a station enrols itself; the names are those of its registration", LIMIT, async () => {
  const csr = await request("own");
  const pem = await enrol("", csr, "own");
  assert.match(await field(pem, "subject"), /CN=guichet-est/);
  assert.doesNotMatch(await openssl("x509", "-in", pem, "-noout", "-text"), /ATTACKER/);
  await openssl("verify", "-CAfile", system.CA_CERT, "-untrusted", system.ISSUING_CA, "-purpose", "sslclient", pem);
  // the reply was lost: the same request again gives the same certificate, with other white space too
  const again = await enrol("", csr.replace(/.{64}/g, "$&\r\n"), "own-again");
  assert.equal(await serialOf(again), await serialOf(pem));
  // what was issued is known to the responder within a second or two
  await eventually("good", 20, async () => (await ocsp(pem, system.ISSUING_CA)) === "good");
});

test("authority: who is no station is refused", LIMIT, async () => {
  const nobody = await run("curl", "-sS", "--cacert", system.CA_CERT, `${system.EST_URL}/cacerts`, "-o", "/dev/null", "-w", "%{http_code}");
  assert.ok(nobody.status !== 0 || /^(401|403)/.test(nobody.text), nobody.text);
  // a certificate of our own authority is not enough, one of an authority of the same name is none
  const town = await call(`${system.PKI_URL}/changes?after=0`, { as: ["--cert", system.TOWN_CERT, "--key", system.TOWN_KEY] });
  assert.equal(town.status, 403, town.body.toString());
  const stranger = await run("curl", "-sS", "--cacert", system.CA_CERT, "--cert", system.STRANGER_CERT, "--key", system.STRANGER_KEY,
    `${system.EST_URL}/cacerts`, "-o", "/dev/null", "-w", "%{http_code}");
  assert.ok(stranger.status !== 0 || /^(401|403)/.test(stranger.text), stranger.text);
});

test("authority: cacerts are the chain", LIMIT, async () => {
  const answer = await call(`${system.EST_URL}/cacerts`);
  writeFileSync(file("cacerts.p7"), Buffer.from(answer.body.toString(), "base64"));
  const certificates = await openssl("pkcs7", "-inform", "DER", "-in", file("cacerts.p7"), "-print_certs");
  for (const name of [system.CA_CERT, system.ISSUING_CA]) {
    const body = readFileSync(name, "utf8").split("-----")[2].replace(/\s/g, "");
    assert.ok(certificates.replace(/\s/g, "").includes(body), name);
  }
});

test("authority: a citizen's certificate, good, then revoked everywhere", LIMIT, async () => {
  const c = await citizen("citizen");
  assert.equal(await field(c.pem, "subject"), `subject=CN=PSEUDO:${c.number},C=FR`);
  await openssl("verify", "-CAfile", system.CA_CERT, "-untrusted", c.chain, c.pem);
  // an answer that was looked at a moment ago must not be older than what happens next
  await eventually("good", 20, async () => (await ocsp(c.pem, c.chain)) === "good");
  const has = async (kind) => (await list(`${c.lists}${kind}.crl`, c.chain)).toLowerCase().includes(c.serial);
  assert.equal(await has(""), false);

  const act = { act: "revoke", ca: c.ca, serial: c.serial, reason: "key_compromise", requester: "holder", requester_ref: c.holder };
  const key = randomBytes(12).toString("hex");
  const answer = await json(`${system.PKI_URL}/revocations`, "POST", act, [`Idempotency-Key: ${key}`]);
  assert.equal(answer.status, 200, answer.body.toString());
  assert.equal(JSON.parse(answer.body).results[0].outcome, "revoked");
  const seen = await eventually("OCSP says revoked", 10, async () => (await ocsp(c.pem, c.chain)) === "revoked");
  const listed = await eventually("a list has it", 20, async () => (await has("-delta")) || has(""));
  console.log(`# revoked in OCSP after ${Math.round(seen)} ms, in a list ${Math.round(listed)} ms later`);
  // the second click: answered alike; another call under the key: refused
  const twice = await json(`${system.PKI_URL}/revocations`, "POST", act, [`Idempotency-Key: ${key}`]);
  assert.equal(JSON.parse(twice.body).results[0].outcome, "revoked");
  assert.equal((await json(`${system.PKI_URL}/revocations`, "POST", { ...act, act: "suspend" }, [`Idempotency-Key: ${key}`])).status, 409);
  // never again with this key
  const spent = await call(`${system.EST_URL}/${c.id}/simpleenroll`,
    { method: "POST", body: readFileSync(file("citizen.csr")).toString("base64"), type: "application/pkcs10" });
  assert.ok(spent.status === 200 || spent.status >= 400, String(spent.status));
});

test("authority: a suspended account defers, and comes back in time", LIMIT, async () => {
  const c = await citizen("deferred");
  const act = (what) => json(`${system.PKI_URL}/revocations`, "POST",
    { act: what, holder: c.holder, town: "", requester: "holder" }, [`Idempotency-Key: ${randomBytes(12).toString("hex")}`]);
  const suspended = JSON.parse((await act("suspend")).body).results;
  assert.equal(suspended.length, 1);
  assert.equal(suspended[0].outcome, "deferred");
  await eventually("nothing is published of a deferred revocation", 20, async () => (await ocsp(c.pem, c.chain)) === "good");
  assert.equal(JSON.parse((await act("resume")).body).results[0].outcome, "withdrawn");
});

test("authority: a serial number that was never given is not good", LIMIT, async () => {
  const { text } = await run("openssl", "ocsp", "-issuer", system.ISSUING_CA, "-serial", `0x${randomBytes(15).toString("hex")}`,
    "-url", system.OCSP_URL, "-CAfile", system.CA_CERT);
  assert.doesNotMatch(text, /: good/);
  assert.match(text, /unauthorized|unknown/i);
});
