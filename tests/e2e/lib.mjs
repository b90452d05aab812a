// lib.mjs: what the end-to-end tests stand on.
//
// A test file begins with
//     const system = await startSystem();      // the instance ./check started for all files, or one of its own
//     const browser = await startBrowser(system);
// and both clean up after themselves when the file ends. Everything a test knows of the instance is in system, the
// keys of endpoints.env (docs/demo.md). `node --test tests/e2e/NAME.test.mjs` runs one file alone.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { createServer, connect } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { createAccount, readEndpoints } from "../../tools/demo-town.mjs";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const TOP = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

// --- the instance ---------------------------------------------------------------------------------------------------
function portIsFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

async function freeBasePort(count) {
  for (let tries = 0; tries < 100; tries++) {
    const base = 20000 + 16 * Math.floor(Math.random() * 700);
    const free = await Promise.all(Array.from({ length: count }, (_, i) => portIsFree(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free ports");
}

// Options: own: true asks for an instance of this file's own (one that the test will break or move in time).
export async function startSystem({ own = false } = {}) {
  if (process.env.BEFFROI_ENDPOINTS && !own) return readEndpoints(process.env.BEFFROI_ENDPOINTS);
  const data = mkdtempSync(join(tmpdir(), "beffroi-e2e."));
  chmodSync(data, 0o711);
  const build = process.env.BEFFROI_BUILD ? ["--build-dir", process.env.BEFFROI_BUILD, "--no-install"] : [];
  after(async () => {
    await run(join(TOP, "run"), ["--data", data, "--reset"]).catch(() => {});
    rmSync(data, { recursive: true, force: true });
  });
  await run(join(TOP, "run"), ["--data", data, "--base-port", String(await freeBasePort(16)), ...build, "--detach"],
    { maxBuffer: 1 << 24 });
  return readEndpoints(join(data, "demo", "endpoints.env"));
}

// The programs' own commands, against this instance: idp(system, "clock", "--advance", "24h").
export async function idp(system, ...args) {
  return (await run(system.IDP_BIN, [args[0], "--config", system.IDP_CONFIG, ...args.slice(1)])).stdout;
}
export async function mairie(system, ...args) {
  return (await run(system.MAIRIE_BIN, [args[0], "--config", system.MAIRIE_CONFIG, ...args.slice(1)])).stdout;
}

// Rows of a query as arrays of strings: for looking, never for changing. database: IDP_DATABASE_URL …
export async function query(system, database, sql) {
  const { stdout } = await run("psql", ["-X", "-q", "-At", "-F", "\u001f", "-v", "ON_ERROR_STOP=1", "-c", sql, system[database]]);
  return stdout.split("\n").filter((line) => line !== "").map((line) => line.split("\u001f"));
}

// --- the browser ----------------------------------------------------------------------------------------------------
// Debian's Chromium with a home of its own whose certificate store trusts the demo's authority and nothing else new.
// Options: authorities: further PEM files to trust; keys: [{ file, password }], PKCS#12 for its store; modules: { name:
// library }, PKCS#11; env: more of the environment; policy: an object that it finds as its managed policy. Policies are the machine's, so they are shown to this browser alone: in a mount
// namespace of its own. end: who is told how to close it; by default the test that starts it, when it ends.
export async function startBrowser(system, { authorities = [], keys = [], modules = {}, env = {}, policy, end = after } = {}) {
  const home = mkdtempSync(join(tmpdir(), "beffroi-browser."));
  const store = join(home, ".pki", "nssdb");
  mkdirSync(store, { recursive: true });
  await run("certutil", ["-N", "-d", `sql:${store}`, "--empty-password"]);
  await run("certutil", ["-A", "-d", `sql:${store}`, "-n", "beffroi demo", "-t", "C,,", "-i", system.CA_CERT]);
  for (const [i, file] of authorities.entries()) {
    await run("certutil", ["-A", "-d", `sql:${store}`, "-n", `authority ${i}`, "-t", "C,,", "-i", file]);
  }
  for (const { file, password } of keys) await run("pk12util", ["-i", file, "-d", `sql:${store}`, "-K", "", "-W", password]);
  for (const [name, library] of Object.entries(modules)) {
    await run("modutil", ["-force", "-dbdir", `sql:${store}`, "-add", name, "-libfile", library], { env: { ...process.env, ...env } });
  }
  const browser = await chromium.launch({
    executablePath: policy ? withPolicy(home, policy) : CHROMIUM,
    headless: true,
    env: { PATH: process.env.PATH, HOME: home, LANG: "fr_FR.UTF-8", TMPDIR: home, ...env },
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
      "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-domain-reliability",
      "--host-resolver-rules=" + hostRules(system)],
  });
  end(async () => {
    await browser.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });
  return browser;
}

// Policies belong to the machine: Chromium reads them from /etc/chromium, which is ours in a mount namespace only.
const NAMESPACE = process.getuid() === 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
// Why a test that needs a policy is skipped here (a container may forbid it), or false.
export const withoutPolicies =
  spawnSync("unshare", [...NAMESPACE, "sh", "-c", "mount --bind /tmp /etc/chromium"]).status === 0 ? false : "no mount namespace here";

// A program that starts Chromium where /etc/chromium holds this policy and nothing else.
function withPolicy(home, policy) {
  const folder = join(home, "etc");
  mkdirSync(join(folder, "policies", "managed"), { recursive: true });
  writeFileSync(join(folder, "policies", "managed", "test.json"), JSON.stringify(policy));
  const program = join(home, "chromium");
  writeFileSync(program, `#!/bin/sh
exec unshare ${NAMESPACE.join(" ")} sh -c 'mount --bind "$1" /etc/chromium && shift && exec "$@"' \
  sh '${folder}' '${CHROMIUM}' "$@"
`, { mode: 0o755 });
  return program;
}

// Our names are this machine, every other name does not exist: a page that would call out is found by its failure.
function hostRules(system) {
  const hosts = Object.values(system).map((v) => /^https:\/\/([^/:]+)/.exec(v)?.[1]).filter(Boolean);
  for (const door of [system.CERT_LOGIN_URL, system.CARD_LOGIN_URL].filter(Boolean)) hosts.push(`*.${new URL(door).hostname}`);      // names of one attempt
  return [...new Set(hosts)].map((h) => `MAP ${h} 127.0.0.1`).join(",") + ",MAP * ~NOTFOUND" +
    [...new Set(hosts)].map((h) => ` , EXCLUDE ${h}`).join("");
}

// A fresh visitor: no cookie, French, a laptop's window. page.failures collects what a person would not see:
// script errors, what the content policy blocked, requests to elsewhere. With javaScriptEnabled: false nothing that
// evaluates in the page may be asked of it (it would wait for ever).
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({ locale: "fr-FR", viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.noScript = options.javaScriptEnabled === false;
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of [45]\d\d/.test(message.text())) page.failures.push(`console: ${message.text()}`);
  });
  page.on("requestfailed", (request) => {
    if (request.failure()?.errorText !== "net::ERR_ABORTED") page.failures.push(`request: ${request.url()} ${request.failure()?.errorText}`);
  });
  return page;
}

// --- what a page must be --------------------------------------------------------------------------------------------
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// axe-core, WCAG 2.2 A and AA and best practices: no violation at all.
export async function assertAccessible(page, label) {
  assert.ok(!page.noScript, "axe-core is a script: this visitor runs none");
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    resultTypes: ["violations"],
  }));
  const told = result.violations.map((v) => `${v.id} (${v.impact}): ${v.help}\n` +
    v.nodes.map((n) => `    ${n.target.join(" ")}: ${n.failureSummary.replace(/\s+/g, " ")}`).join("\n"));
  assert.equal(told.length, 0, `${label} at ${page.url()}:\n${told.join("\n")}`);
}

// At a width of 320 CSS pixels (1280 at 400 %) nothing scrolls sideways (WCAG 1.4.10).
export async function assertReflows(page, label) {
  const before = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 256 });
  const [inner, scroll] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  await page.setViewportSize(before);
  assert.ok(scroll <= inner, `${label} at ${page.url()}: ${scroll} px wide in a window of ${inner} px`);
}

// Tab from the top reaches every visible control, each with a visible focus, and ends: no trap. Returns the labels.
export async function walkByKeyboard(page, label) {
  const wanted = await page.evaluate(() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])")]
    .filter((e) => !e.disabled && e.checkVisibility() && e.tabIndex >= 0)
    // a group of radio buttons is one stop: the chosen one, or the first
    .filter((e) => e.type !== "radio" || e === ([...document.getElementsByName(e.name)].find((r) => r.checked) ?? document.getElementsByName(e.name)[0])).length);
  const reached = [];
  // From the top: leaving a field that had the focus from the start is not enough, Tab would go on from there.
  await page.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
  });
  // A date field has several stops of its own: staying on the same element is not walking in a circle.
  const inner = 4 * await page.locator("input[type=date]").count();
  for (let i = 0; i < wanted + inner + 5; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body || e === document.documentElement) return null;
      const style = getComputedStyle(e);
      const stayed = e.dataset.walked === "last";
      const again = !stayed && e.dataset.walked !== undefined;
      document.querySelector("[data-walked=last]")?.setAttribute("data-walked", "1");
      e.dataset.walked = "last";
      return {
        name: e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent?.trim() ?? e.textContent?.trim() ?? e.name ?? e.tagName,
        again,
        stayed,
        shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none",
      };
    });
    if (!at || at.again) break;
    assert.ok(at.shown, `${label}: « ${at.name} » has the focus and does not show it`);
    if (!at.stayed) reached.push(at.name);
  }
  await page.evaluate(() => document.querySelectorAll("[data-walked]").forEach((e) => delete e.dataset.walked));
  assert.ok(reached.length >= wanted, `${label} at ${page.url()}: the keyboard reaches ${reached.length} of ${wanted} controls: ${reached.join(", ")}`);
  return reached;
}

// Kept beside the logs of ./check, or where BEFFROI_SCREENSHOTS says.
export async function screenshot(page, name, options = {}) {
  const folder = process.env.BEFFROI_SCREENSHOTS ?? join(TOP, "build", "check-log", "screenshots");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path, fullPage: true, animations: "disabled", ...options });
  return path;
}

// --- mail -----------------------------------------------------------------------------------------------------------
function decodeWords(text) {
  return text.replace(/\?=\s+=\?/g, "?==?").replace(/=\?([^?]+)\?([bq])\?([^?]*)\?=/gi, (_, charset, how, data) => {
    const bytes = how.toLowerCase() === "b" ? Buffer.from(data, "base64") : quotedPrintable(data.replace(/_/g, " "));
    return new TextDecoder(charset).decode(bytes);
  });
}
function quotedPrintable(text) {
  return Buffer.from(text.replace(/=\r?\n/g, "").replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))), "latin1");
}

// A message as { headers, text }: headers by small name, unfolded and decoded; text is the first text/plain part.
export function parseMail(raw) {
  const end = /\r?\n\r?\n/.exec(raw);
  const head = end ? raw.slice(0, end.index) : raw;
  const body = end ? raw.slice(end.index + end[0].length) : "";
  const headers = {};
  for (const line of head.replace(/\r?\n[ \t]+/g, " ").split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at > 0) headers[line.slice(0, at).toLowerCase()] = decodeWords(line.slice(at + 1).trim());
  }
  const type = headers["content-type"] ?? "text/plain";
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary) {
    const parts = body.split(`--${boundary}`).slice(1, -1).map((part) => parseMail(part.replace(/^\r?\n/, "")));
    return { headers, text: parts.find((part) => part.text !== "")?.text ?? "" };
  }
  if (!/^text\/plain/i.test(type)) return { headers, text: "" };
  const coding = (headers["content-transfer-encoding"] ?? "").toLowerCase();
  const bytes = coding === "base64" ? Buffer.from(body, "base64") : coding === "quoted-printable" ? quotedPrintable(body) : Buffer.from(body, "latin1");
  return { headers, text: new TextDecoder(/charset="?([^";]+)"?/i.exec(type)?.[1] ?? "utf-8").decode(bytes) };
}

// Every message that has left the system so far, oldest first.
export function sentMails(system) {
  const found = [];
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "tmp" && !entry.name.startsWith(".")) walk(path);
      }
      else if (entry.isFile() && !entry.name.startsWith(".")) {
        found.push({ path, time: statSync(path).mtimeMs, ...parseMail(readFileSync(path, "latin1")) });
      }
    }
  };
  walk(system.MAIL_OUT_DIR);
  return found.sort((a, b) => a.time - b.time || a.path.localeCompare(b.path));
}

export async function waitForMail(system, matches, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const mail = sentMails(system).find(matches);
    if (mail) return mail;
    if (Date.now() > end) throw new Error(`no such mail after ${seconds} s; sent so far: ${sentMails(system).map((m) => `${m.headers.to}: ${m.headers.subject}`).join(" | ")}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// Hands a message to the town's or citizen's side of the MTA, as a mail provider would. headers overrides and adds.
export async function sendMail(system, { from, to = system.MAIL_IN_ADDRESS, subject, text = "", headers = {}, envelopeFrom = from }) {
  const lines = Object.entries({
    From: from, To: to, Subject: subject, Date: new Date().toUTCString().replace("GMT", "+0000"),
    "Message-ID": `<${Date.now()}.${Math.random().toString(36).slice(2)}@citoyens.test>`,
    "MIME-Version": "1.0", "Content-Type": "text/plain; charset=utf-8", ...headers,
  }).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}`);
  const data = [...lines, "", ...text.split("\n")].map((line) => (line.startsWith(".") ? `.${line}` : line)).join("\r\n");
  const socket = connect({ host: system.SMTP_IN_HOST, port: Number(system.SMTP_IN_PORT) });
  socket.setEncoding("utf8");
  const replies = (async function* read() {
    let seen = "";
    for await (const chunk of socket) {
      seen += chunk;
      for (let match; (match = /^(\d{3}) [^\n]*\r?\n/m.exec(seen));) {
        yield seen.slice(0, match.index + match[0].length);
        seen = seen.slice(match.index + match[0].length);
      }
    }
  })();
  const ask = async (line, wanted) => {
    if (line !== null) socket.write(`${line}\r\n`);
    const { value } = await replies.next();
    const code = /^(\d{3}) /m.exec(value ?? "")?.[1];
    if (code !== wanted) throw new Error(`SMTP: ${line?.split("\r\n")[0]}: ${value}`);
    return value;
  };
  await ask(null, "220");
  await ask("EHLO citoyens.test", "250");
  await ask(`MAIL FROM:<${envelopeFrom}>`, "250");
  await ask(`RCPT TO:<${to}>`, "250");
  await ask("DATA", "354");
  const answer = await ask(`${data}\r\n.`, "250");
  socket.end("QUIT\r\n");
  return answer;
}

// --- people -----------------------------------------------------------------------------------------------------------
// A fresh active citizen, made through the town door, the mail server and the activation page (without a browser):
// { login, password, address, handle, creation, revocation }.
export async function newCitizen(system, account = {}) {
  return activate(system, await createAccount(system, account));
}

// The citizen's part for codes of a sheet: { login, password, address } and the codes.
export async function activate(system, codes) {
  const login = `citoyen-${randomBytes(5).toString("hex")}`;
  const password = `phrase de passe ${randomBytes(6).toString("hex")}`;
  const address = `${login}@citoyens.test`;
  await sendMail(system, { from: address, subject: codes.creation });
  const mail = await waitForMail(system, (m) => m.headers.to?.includes(address));
  const link = mail.text.split(/\s+/).find((word) => word.startsWith(`${system.IDP_BASE_URL}/activate/`));
  const code = /^\s*(\d{4}) ?(\d{4})\s*$/m.exec(mail.text);
  const visit = new Visit(system);
  let page = await visit.get(link);
  page = await visit.post(link, page, { code: code[1] + code[2], sheet: codes.sheet ?? "", do: "check" });
  page = await visit.post(page.url, page, { login, password, do: "choose" });
  assert.equal(page.status, 200, page.text);
  return { login, password, address, ...codes };
}

// Forms without a browser: cookies, the form's token, redirects. Enough for what a test prepares.
export class Visit {
  constructor(system) {
    this.ca = readFileSync(system.CA_CERT);
    this.cookies = new Map();
  }

  request(method, url, body) {
    return new Promise((resolve, reject) => {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const headers = { "Accept-Language": "fr", ...(cookie && { Cookie: cookie }) };
      if (body !== undefined) {
        headers["Content-Type"] = "application/x-www-form-urlencoded";
        headers["Content-Length"] = Buffer.byteLength(body);
        headers.Origin = new URL(url).origin;
      }
      const asked = httpsRequest(url, { method, headers, ca: this.ca, timeout: 30_000 }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => { text += part; });
        answer.on("end", () => {
          for (const line of answer.headers["set-cookie"] ?? []) {
            const [name, value] = line.split(";", 1)[0].split("=", 2);
            this.cookies.set(name, value);
          }
          resolve({ status: answer.statusCode, headers: answer.headers, text, url });
        });
      });
      asked.on("timeout", () => asked.destroy(new Error(`${url}: no answer`)));
      asked.on("error", reject);
      asked.end(body);
    });
  }

  async get(url) {
    let answer = await this.request("GET", url);
    for (let i = 0; i < 8 && [302, 303].includes(answer.status); i++) {
      answer = await this.request("GET", new URL(answer.headers.location, answer.url).href);
    }
    return answer;
  }

  async post(url, page, fields) {
    const csrf = /name="csrf" value="([^"]*)"/.exec(page.text)?.[1] ?? "";
    const answer = await this.request("POST", url, new URLSearchParams({ csrf, ...fields }).toString());
    return [302, 303].includes(answer.status) ? this.get(new URL(answer.headers.location, answer.url).href) : answer;
  }
}

// --- one-time codes ---------------------------------------------------------------------------------------------------
// RFC 6238, SHA-1, 30 s, 6 digits: what a clerk's telephone shows.
export function totp(secretBase32, time = Date.now()) {
  let bits = "";
  for (const c of secretBase32.replace(/[=\s]/g, "").toUpperCase()) {
    bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0");
  }
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(time / 30000)));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, "0");
}

// A code that this process has not used yet: each is good once. The step before and the one after are accepted too; the
// former only when there is time left to send it. ahead: as of clerkSignsIn().
const lastStep = new Map();
export async function freshCode(secretBase32, ahead = 0) {
  const step = Math.max(Math.floor((Date.now() + ahead + 10_000) / 30_000) - 1, (lastStep.get(secretBase32) ?? 0) + 1);
  lastStep.set(secretBase32, step);
  const early = (step - 1) * 30_000 - Date.now() - ahead;
  if (early > 0) await new Promise((resolve) => setTimeout(resolve, early + 500));
  return totp(secretBase32, step * 30_000);
}
