// firefox.mjs: Debian's Firefox ESR with a profile and an NSS store of its own, driven by Marionette: a few commands over a
// local socket (https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html), for which no driver is needed.
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const FIREFOX = process.env.FIREFOX ?? "firefox-esr";
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";               // WebDriver §12.1
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Until what() gives something, or limit seconds have passed.
export async function until(what, label, limit = 60) {
  const end = Date.now() + limit * 1000;
  for (;;) {
    const got = await what();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${limit} s: ${label}`);
    await pause(100);
  }
}

// "LENGTH:JSON", both ways; [0, id, command, parameters] is answered by [1, id, error, value].
class Wire {
  #socket; #waiting = new Map(); #next = 1; #bytes = Buffer.alloc(0);

  constructor(socket) {
    this.#socket = socket;
    this.hello = new Promise((resolve) => { this.#waiting.set(0, { resolve }); });
    socket.on("data", (part) => this.#read(part));
    socket.on("close", () => this.#waiting.forEach(({ reject }) => reject?.(new Error("Firefox has gone"))));
    socket.on("error", () => {});
  }

  #read(part) {
    this.#bytes = Buffer.concat([this.#bytes, part]);
    for (;;) {
      const colon = this.#bytes.indexOf(":");
      const length = Number(this.#bytes.subarray(0, Math.max(colon, 0)));
      if (colon < 0 || this.#bytes.length < colon + 1 + length) return;
      const message = JSON.parse(this.#bytes.subarray(colon + 1, colon + 1 + length));
      this.#bytes = this.#bytes.subarray(colon + 1 + length);
      const [, id, error, value] = Array.isArray(message) ? message : [1, 0, null, message];
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(Object.assign(new Error(`${error.error}: ${error.message}`), { code: error.error }));
      else resolve(value);
    }
  }

  send(command, parameters = {}) {
    const id = this.#next++, text = JSON.stringify([0, id, command, parameters]);
    this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  close() {
    this.#socket.destroy();
  }
}

export class Firefox {
  #wire;

  constructor(wire) {
    this.#wire = wire;
  }

  goto(url) {
    return this.#wire.send("WebDriver:Navigate", { url });
  }
  // Begins and does not wait: what asks a modal question would keep us waiting for ever.
  async begin(url) {
    await this.script("setTimeout((url) => { location.href = url; }, 0, arguments[0])", [url]);
  }
  // All cookies.
  forget() {
    return this.chrome("Services.cookies.removeAll()");
  }
  async url() {
    return (await this.#wire.send("WebDriver:GetCurrentURL")).value;
  }
  async script(script, args = []) {
    return (await this.#wire.send("WebDriver:ExecuteScript", { script, args })).value;
  }
  // The element, once it is there.
  async find(selector, limit = 60) {
    return until(async () => {
      try {
        return (await this.#wire.send("WebDriver:FindElement", { using: "css selector", value: selector })).value[ELEMENT];
      } catch (e) {
        if (e.code === "no such element" || e.code === "no such window") return null;
        throw e;
      }
    }, selector, limit).catch(async (e) => {
      throw new Error(`${e.message} at ${await this.url()}`, { cause: e });
    });
  }
  async click(selector) {
    await this.#wire.send("WebDriver:ElementClick", { id: await this.find(selector) });
  }
  async attribute(selector, name) {
    return this.script("return arguments[0][arguments[1]]", [{ [ELEMENT]: await this.find(selector) }, name]);
  }
  async text(selector = "main") {
    return (await this.#wire.send("WebDriver:GetElementText", { id: await this.find(selector) })).value;
  }
  // Runs in Firefox itself, where its own windows and dialogs are.
  async chrome(script, args = []) {
    await this.#wire.send("Marionette:SetContext", { value: "chrome" });
    try {
      return await this.script(script, args);
    } finally {
      await this.#wire.send("Marionette:SetContext", { value: "content" });
    }
  }
  // From now on Firefox's questions for a token's PIN are answered with pin, typed into its own prompt, or cancelled (null).
  // The prompt is modal: nothing can be asked of Firefox while it is open. prompts() tells how often it was.
  async answerPin(pin) {
    await this.chrome(`const seen = "beffroi.test.prompts", answer = "beffroi.test.pin";
      Services.prefs.setStringPref(answer, JSON.stringify(arguments[0]));
      if (Services.prefs.prefHasUserValue(seen)) return;
      Services.prefs.setIntPref(seen, 0);
      Services.obs.addObserver(({ Dialog: { args, ui } }) => {
        if (args.promptType !== "promptPassword") return;
        Services.prefs.setIntPref(seen, Services.prefs.getIntPref(seen) + 1);
        const typed = JSON.parse(Services.prefs.getStringPref(answer));
        Services.tm.dispatchToMainThread(() => {
          if (typed === null) ui.button1.click();
          else { ui.password1Textbox.value = typed; ui.button0.disabled = false; ui.button0.click(); }
        });
      }, "common-dialog-loaded");`, [pin]);
  }
  prompts() {
    return this.chrome('return Services.prefs.getIntPref("beffroi.test.prompts")');
  }
  // The question which certificate to send, once it is there: "accept" or "cancel". Gives what it offered. Its buttons are heard
  // from when the certificate has been described to the last line; the question before it may still be closing.
  async answerCertificate(button, limit = 60) {
    return until(() => this.chrome(`const window = Services.wm.getMostRecentWindow("navigator:browser");
      const [tab] = window.gBrowser.getTabDialogBox(window.gBrowser.selectedBrowser).getTabDialogManager().dialogs;
      const document = (tab ?? window.gDialogBox?.dialog)?._frame?.contentDocument;
      if (!document?.documentURI.endsWith("clientauthask.xhtml")) return null;
      const offered = [...document.querySelectorAll("#nicknames menuitem")].map((item) => item.getAttribute("label"));
      const dialog = document.querySelector("dialog");
      const last = document.querySelector("#clientAuthCertDetailsStoredOn")?.getAttribute("data-l10n-args");
      const described = last && JSON.parse(last).storedOn !== "";
      const press = described && dialog?._buttons && dialog.getButton(arguments[0]);
      if (!press || press.disabled || dialog.hasAttribute("answered")) return null;
      dialog.setAttribute("answered", "");
      press.click();
      return offered;`, [button]), "the question which certificate to send", limit);
  }
}

// Options: authorities: PEM files to trust; keys: [{ file, password }], PKCS#12; modules: { name: library }, PKCS#11;
// prefs: as about:config has them.
export async function startFirefox({ authorities = [], keys = [], modules = {}, prefs = {}, env = {} } = {}) {
  const home = mkdtempSync(join(tmpdir(), "beffroi-firefox.")), profile = join(home, "profile");
  const store = `sql:${profile}`;
  mkdirSync(profile);
  await run("certutil", ["-N", "-d", store, "--empty-password"]);
  for (const [i, file] of authorities.entries()) await run("certutil", ["-A", "-d", store, "-n", `authority ${i}`, "-t", "C,,", "-i", file]);
  for (const { file, password } of keys) await run("pk12util", ["-i", file, "-d", store, "-K", "", "-W", password]);
  for (const [name, library] of Object.entries(modules)) await run("modutil", ["-force", "-dbdir", store, "-add", name, "-libfile", library], { env: { ...process.env, ...env } });
  const all = { "marionette.port": 0, "intl.accept_languages": "fr-FR,fr", "browser.shell.checkDefaultBrowser": false,
    "datareporting.policy.dataSubmissionEnabled": false, "app.update.enabled": false, "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false, "browser.safebrowsing.update.enabled": false, "services.settings.server": "",
    "browser.aboutwelcome.enabled": false, "toolkit.telemetry.enabled": false, "extensions.update.enabled": false, ...prefs };
  writeFileSync(join(profile, "user.js"), Object.entries(all).map(([k, v]) => `user_pref(${JSON.stringify(k)}, ${JSON.stringify(v)});\n`).join(""));
  const child = spawn(FIREFOX, ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile, "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"], env: { PATH: process.env.PATH, HOME: home, TMPDIR: home, LANG: "fr_FR.UTF-8", MOZ_CRASHREPORTER_DISABLE: "1", ...env } });
  let said = "";
  child.stderr.on("data", (part) => { said = (said + part).slice(-4000); });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let wire;
  after(async () => {
    wire?.close();
    child.kill("SIGTERM");
    await Promise.race([ended, pause(10_000).then(() => child.kill("SIGKILL"))]);
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });
  const port = await until(() => {
    if (child.exitCode !== null) throw new Error(`Firefox has ended: ${said}`);
    try {
      return Number(readFileSync(join(profile, "MarionetteActivePort"), "utf8"));
    } catch {
      return 0;
    }
  }, "Firefox listens");
  wire = new Wire(connect(port, "127.0.0.1"));
  await wire.hello;
  await wire.send("WebDriver:NewSession", { capabilities: { alwaysMatch: { pageLoadStrategy: "normal", unhandledPromptBehavior: "ignore" } } });
  await wire.send("WebDriver:SetTimeouts", { pageLoad: 60_000, script: 30_000, implicit: 0 });
  return new Firefox(wire);
}
