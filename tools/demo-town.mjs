#!/usr/bin/env node
// demo-town.mjs: a town's side of the town door, as somebody else would write it: an account is asked for, its sealed
// codes are opened, the receipt is acknowledged. Node's own library only; the sealing is RFC 9180 read anew, so that it
// also checks ours.
//
//   tools/demo-town.mjs ENDPOINTS.env [AUTHORISATION…]    prints {"handle", "creation", "revocation", …} as JSON
import { readFileSync } from "node:fs";
import { createDecipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman, randomBytes } from "node:crypto";
import { request } from "node:https";
import { fileURLToPath } from "node:url";

export const SEAL_INFO = "beffroi town reply v1";

export function readEndpoints(file) {
  const system = {};
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const at = line.indexOf("=");
    if (at > 0 && !line.startsWith("#")) system[line.slice(0, at)] = line.slice(at + 1);
  }
  return system;
}

// --- RFC 9180, base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM -------------------------------------
const KEM_SUITE = Buffer.from("KEM\x00\x10", "latin1");
const HPKE_SUITE = Buffer.from("HPKE\x00\x10\x00\x01\x00\x02", "latin1");
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();
const labeledExtract = (suite, salt, label, ikm) =>
  hmac(salt.length ? salt : Buffer.alloc(32), Buffer.concat([Buffer.from("HPKE-v1"), suite, Buffer.from(label), ikm]));
function labeledExpand(suite, prk, label, info, length) {
  const size = Buffer.from([length >> 8, length & 255]);
  const whole = Buffer.concat([size, Buffer.from("HPKE-v1"), suite, Buffer.from(label), info]);
  let out = Buffer.alloc(0);
  for (let i = 1, last = Buffer.alloc(0); out.length < length; i++) {
    last = hmac(prk, Buffer.concat([last, whole, Buffer.from([i])]));
    out = Buffer.concat([out, last]);
  }
  return out.subarray(0, length);
}
const pointOf = (jwk) => Buffer.concat([Buffer.from([4]), Buffer.from(jwk.x, "base64url"), Buffer.from(jwk.y, "base64url")]);

// sealed = encapsulated key (65 bytes) || ciphertext || tag (16 bytes)
export function unseal(privatePem, info, aad, sealed) {
  const privateKey = createPrivateKey(privatePem);
  const enc = sealed.subarray(0, 65);
  const publicKey = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256",
    x: enc.subarray(1, 33).toString("base64url"), y: enc.subarray(33, 65).toString("base64url") } });
  const own = pointOf(createPublicKey(privateKey).export({ format: "jwk" }));
  const none = Buffer.alloc(0);
  const shared = labeledExpand(KEM_SUITE, labeledExtract(KEM_SUITE, none, "eae_prk", diffieHellman({ privateKey, publicKey })),
    "shared_secret", Buffer.concat([enc, own]), 32);
  const context = Buffer.concat([Buffer.from([0]), labeledExtract(HPKE_SUITE, none, "psk_id_hash", none),
    labeledExtract(HPKE_SUITE, none, "info_hash", Buffer.from(info))]);
  const secret = labeledExtract(HPKE_SUITE, shared, "secret", none);
  const aes = createDecipheriv("aes-256-gcm", labeledExpand(HPKE_SUITE, secret, "key", context, 32),
    labeledExpand(HPKE_SUITE, secret, "base_nonce", context, 12));
  aes.setAAD(Buffer.from(aad));
  aes.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([aes.update(sealed.subarray(65, -16)), aes.final()]);
}

// --- the door -------------------------------------------------------------------------------------------------------
// One call with the town's certificate; { status, headers, body } with the body as JSON where it is.
export function call(system, method, path, { body, headers = {}, url = system.TOWN_API_URL, cert = system.TOWN_CERT, key = system.TOWN_KEY } = {}) {
  return new Promise((resolve, reject) => {
    const data = body === undefined ? undefined : JSON.stringify(body);
    const asked = request(new URL(path, url), {
      method, ca: readFileSync(system.CA_CERT), cert: readFileSync(cert), key: readFileSync(key), timeout: 30_000,
      headers: { ...(data === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(data) }), ...headers },
    }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        const json = /json/.test(answer.headers["content-type"] ?? "") && text !== "" ? JSON.parse(text) : text;
        resolve({ status: answer.statusCode, headers: answer.headers, body: json });
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`${method} ${path}: no answer`)));
    asked.on("error", reject);
    asked.end(data);
  });
}

// A login and password account: create, open the codes, acknowledge.
export async function createAccount(system, account = {}) {
  const handle = randomBytes(24).toString("base64url");
  const idempotencyKey = randomBytes(24).toString("base64url");
  const created = await call(system, "POST", "/v1/accounts",
    { body: { type: "password", handle, lang: "fr", ...account }, headers: { "Idempotency-Key": idempotencyKey } });
  if (created.status !== 201) throw new Error(`POST /v1/accounts: ${created.status} ${JSON.stringify(created.body)}`);
  const codes = JSON.parse(unseal(readFileSync(system.TOWN_SEAL_KEY), SEAL_INFO, idempotencyKey, Buffer.from(created.body.sealed, "base64url")));
  const acknowledged = await call(system, "POST", `/v1/accounts/${handle}/ack`);
  if (acknowledged.status !== 200) throw new Error(`ack: ${acknowledged.status} ${JSON.stringify(acknowledged.body)}`);
  return { handle, idempotencyKey, ...codes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...authorisations] = process.argv.slice(2);
  if (!file) {
    console.error("usage: demo-town.mjs ENDPOINTS.env [AUTHORISATION…]");
    process.exit(2);
  }
  const account = authorisations.length > 0 ? { authorisations: authorisations.map((code) => ({ code })) } : {};
  createAccount(readEndpoints(file), account).then((made) => console.log(JSON.stringify(made)), (error) => {
    console.error(`demo-town: ${error.message}`);
    process.exit(1);
  });
}
