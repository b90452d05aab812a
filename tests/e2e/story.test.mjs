// story.test.mjs: from the clerk's form to the block, in one browser after the other: the clerk, the citizen, two services
// that nobody here wrote, and the code on the paper. And the citizen's part again in a browser that runs no scripts.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { screenshot, sendMail, startBrowser, startSystem, visitor, waitForMail } from "./lib.mjs";
import { clerkSignsIn, demoClerk, fillForm, readSheet, waitForSheet } from "./counter.mjs";

const system = await startSystem();
const browser = await startBrowser(system);
const OPTIONS = { timeout: 180_000, skip: !system.MAIRIE_BIN && "no town hall here" };
const PHONE = { width: 320, height: 640 };

const word = (prefix) => `${prefix}${randomBytes(5).toString("hex")}`;
const letters = (text) => text.replace(/\d/g, (d) => "ghijklmnop"[d]);

// The clerk's part: the dossier is made, its sheet shown once and printed. Returns { codes, dossier, pdf }.
async function atTheCounter(person) {
  const page = await visitor(browser);
  await clerkSignsIn(page, system, demoClerk(system));
  await screenshot(page, "clerk-today", { fullPage: false });
  await page.goto(`${system.MAIRIE_URL}/new/password`);
  await fillForm(page, person);
  await screenshot(page, "clerk-form");
  await page.locator("#preview").click();
  await page.locator("#confirm").click();
  await page.waitForURL(/\/dossier\//);
  const dossier = /^.*\/dossier\/[^/?]+/.exec(page.url())[0];
  await waitForSheet(page);
  await page.locator("#show").click();
  const codes = await readSheet(page);
  const pdf = await page.pdf({ format: "A4", preferCSSPageSize: true, tagged: true });
  await page.setViewportSize({ width: 700, height: 900 });
  await page.emulateMedia({ media: "print" });
  await screenshot(page, "clerk-sheet");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ media: "screen" });
  // One view only: the same address afterwards has no code any more.
  await page.goto(`${dossier}/print`);
  const again = await page.content();
  for (const code of [codes.creation, codes.revocation]) assert.ok(!again.replace(/\s|<[^>]*>/g, "").includes(code), "the sheet is shown twice");
  assert.deepEqual(page.failures, []);
  return { page, dossier, codes, pdf };
}

async function writesAndReads(codes, address) {
  await sendMail(system, { from: address, subject: codes.creation });
  const { text } = await waitForMail(system, (m) => m.headers.to?.includes(address));
  return {
    link: text.split(/\s+/).find((part) => part.startsWith(`${system.IDP_BASE_URL}/activate/`)),
    code: /^\s*(\d{4}) ?(\d{4})\s*$/m.exec(text).slice(1).join(""),
  };
}

async function activates(page, codes, mail, who, see = async () => {}) {
  await page.goto(mail.link);
  await see("activation-code");
  await page.locator("#code").fill(mail.code);
  if (await page.locator("#sheet").count() > 0) await page.locator("#sheet").fill(codes.sheet);
  await page.locator("#check").click();
  await page.locator("#choose").waitFor();
  await page.locator("#login").fill(who.login);
  await see("activation-choose");
  await page.locator("#password").fill(who.password);
  await page.locator("#choose").click();
  await page.locator("#go-signin").waitFor();
  await see("activation-done");
}

async function signsIn(page, who) {
  await page.locator("#login").fill(who.login);
  await page.locator("#password").fill(who.password);
  await page.locator("#signin").click();
}

// Where scripts run the answer posts itself; elsewhere it has a button.
async function goesOn(page) {
  if (page.noScript && page.url().startsWith(system.IDP_BASE_URL)) await page.locator("form button").first().click();
}

async function entersSondage(page) {
  await page.goto(system.SONDAGE_URL);
  await page.getByRole("link", { name: "Se connecter avec Beffroi" }).click();
}
async function entersAgenda(page) {
  await page.goto(system.AGENDA_URL);
  await page.getByRole("link", { name: "Se connecter avec Beffroi" }).click();
}

async function blocks(page, code, see = async () => {}) {
  await page.goto(system.BLOCK_URL);
  await see("block-form");
  await page.locator("#code").fill(code);
  await page.locator("#block").click();
  await page.locator("#reason-lost").waitFor();
  await see("block-reason");
}

test("from the clerk's form to the block", OPTIONS, async () => {
  const person = { birth: `Lanterne${letters(randomBytes(3).toString("hex"))}`, given: "Camille" };
  const { page: clerk, dossier, codes, pdf } = await atTheCounter(person);
  const sheet = pdf.toString("latin1");
  assert.equal(sheet.match(/\/Type\s*\/Page\b(?!s)/g).length, 1, "one page of paper");

  const who = { login: word("lanterne-"), password: `quatre mots ${word("")}` };
  const mail = await writesAndReads(codes, `${who.login}@citoyens.test`);
  const page = await visitor(browser);
  const see = (name) => screenshot(page, name, { fullPage: false });
  await page.goto(system.IDP_BASE_URL);
  await see("home");
  await activates(page, codes, mail, who, see);
  // The link has done its work.
  await page.goto(mail.link);
  assert.equal(await page.locator("#check, #choose").count(), 0, "the link works twice");

  // Both services, one sign-in.
  await entersSondage(page);
  await see("login");
  await signsIn(page, who);
  await page.locator("#signed-in").waitFor();
  if (system.AGENDA_PID) {
    await entersAgenda(page);
    await page.waitForURL(`${system.AGENDA_URL}/mes-rendez-vous`);
    await page.locator("#signed-in").waitFor();
    assert.ok(!(await page.locator("main").textContent()).includes(person.birth), "the name leaves the town hall");
  }
  await page.goto(system.IDP_BASE_URL);
  await page.locator("#go-block").waitFor();
  await screenshot(page, "my-page");

  // The paper's code, from another machine.
  const elsewhere = await visitor(browser);
  const far = (name) => screenshot(elsewhere, name, { fullPage: false });
  await blocks(elsewhere, codes.revocation, far);
  await elsewhere.locator("#reason-lost").click();
  await far("block-done");
  assert.ok(!(await elsewhere.locator("main").textContent()).includes(who.login));

  // The next sign-on of either service is refused: the session asks for a password, and the password opens nothing.
  const entrances = [entersSondage, ...(system.AGENDA_PID ? [entersAgenda] : [])];
  for (const enters of entrances) {
    const next = await page.context().newPage();
    // The services keep sessions of their own: the next sign-on is the one of a browser that they do not know.
    const cookies = (await page.context().cookies()).filter((c) => system.IDP_BASE_URL.includes(c.domain.replace(/^\./, "")));
    assert.ok(cookies.length > 0, "the browser still has the cookie of its session");
    await page.context().clearCookies();
    await page.context().addCookies(cookies);
    await enters(next);
    await next.locator("#signin").waitFor();
    await signsIn(next, who);
    await next.waitForLoadState("load");
    assert.ok(next.url().startsWith(system.IDP_BASE_URL), `let in at ${next.url()}`);
    assert.equal(await next.locator("#signed-in").count(), 0);
    await next.close();
  }
  // The town hall knows.
  let state = "";
  for (let i = 0; i < 100 && !/bloqu/i.test(state); i++) {
    await clerk.goto(dossier);
    state = await clerk.locator("main .state").first().textContent();
    await clerk.waitForTimeout(200);
  }
  assert.match(state, /bloqu/i);
  assert.deepEqual(page.failures, []);
  assert.deepEqual(elsewhere.failures, []);
  for (const visitorPage of [clerk, page, elsewhere]) await visitorPage.context().close();
});

test("the citizen's part without scripts", OPTIONS, async () => {
  const { page: clerk, codes } = await atTheCounter({ birth: `Sansfil${letters(randomBytes(3).toString("hex"))}`, given: "Dominique" });
  await clerk.context().close();
  const who = { login: word("sansfil-"), password: `quatre mots ${word("")}` };
  const mail = await writesAndReads(codes, `${who.login}@citoyens.test`);
  const page = await visitor(browser, { javaScriptEnabled: false, viewport: PHONE });
  await activates(page, codes, mail, who);
  await entersSondage(page);
  await signsIn(page, who);
  await goesOn(page);
  await page.locator("#signed-in").waitFor();
  if (system.AGENDA_PID) {
    await entersAgenda(page);
    await goesOn(page);
    await page.locator("#signed-in").waitFor();
  }
  await blocks(page, codes.revocation);
  await page.locator("#reason-stolen").click();
  await page.locator("main .code").waitFor();
  await page.goto(`${system.IDP_BASE_URL}/login`);
  await signsIn(page, who);
  await page.locator("#signin, h1").first().waitFor();
  assert.equal(await page.locator("#go-password").count(), 0, "my page opens after the block");
  assert.deepEqual(page.failures, []);
  await page.context().close();
});
