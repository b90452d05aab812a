// counter.test.mjs: the two other accounts at the counter, in a clerk's browser: a card from the form to the way back after a
// block, a software certificate from the form to its sheet; the second click, the Back button, another tab, a draft that is
// gone; and all of it again in a browser that runs no scripts.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertAccessible, query, screenshot, startBrowser, startSystem, visitor, walkByKeyboard } from "./lib.mjs";
import { clerkSignsIn, fillAddress, fillForm, inYears, makeCard, newClerk, readSheet, waitForAction,
  waitForSheet } from "./counter.mjs";

const system = await startSystem();
const browser = await startBrowser(system);
const OPTIONS = { timeout: 240_000, skip: !system.MAIRIE_BIN && "no town hall here" };
const SOFT = { ...OPTIONS, skip: OPTIONS.skip || (!/^pki\.url = /m.test(readFileSync(system.IDP_CONFIG, "utf8")) && "no software certificates here") };
const someone = (prefix) => ({ birth: `${prefix}${randomBytes(4).toString("hex").replace(/\d/g, (d) => "ghijklmnop"[d])}`, given: "Zoé" });
const shown = async (page) => (await page.locator("main").textContent()).replace(/\s+/g, " ");

async function clerk(options) {
  const page = await visitor(browser, options);
  await clerkSignsIn(page, system, await newClerk(system, "Lou Premier"));
  return page;
}

async function seesDocument(page) {
  await page.locator("#doc_type").selectOption({ index: 1 });
  await page.locator("#doc_expiry").fill(inYears(4));
}

// From the form to the receipt; returns the dossier.
async function asksForCard(page, person) {
  await page.goto(`${system.MAIRIE_URL}/new/card`);
  await fillForm(page, person, []);
  await fillAddress(page);
  await page.locator("#preview").click();
  await page.locator("#confirm").click();
  await page.waitForURL(/\/dossier\//);
  const dossier = /^.*\/dossier\/[^/?]+/.exec(page.url())[0];
  await waitForAction(page, dossier, "receipt");
  return dossier;
}

async function paperPages(page) {
  const pdf = (await page.pdf({ format: "A4", preferCSSPageSize: true, tagged: true })).toString("latin1");
  assert.match(pdf, /\/StructTreeRoot/, "the PDF is tagged");
  return pdf.match(/\/Type\s*\/Page\b(?!s)/g).length;
}

// The page's script reads the file and fills the text, a moment later.
async function fillsFromFile(page, file) {
  await page.locator("#certificate-file").setInputFiles(file);
  await page.waitForFunction(() => document.querySelector("#certificate").value.includes("BEGIN CERTIFICATE"));
}

test("a card, from the form to the way back", OPTIONS, async () => {
  const page = await clerk();
  const see = (name) => screenshot(page, name, { fullPage: false });
  const person = someone("Lanterne");
  await see("clerk-today");
  await page.locator("#new-card").click();
  await fillForm(page, { ...person, birth: "d'Ô Nguyễn" }, []);
  await fillAddress(page, { 2: "x".repeat(39), 4: "4 rue de la Lanterne", 6: "54999 VALBOURG" });
  await page.locator("#preview").click();
  assert.match(await page.locator("#errors").textContent(), /Ligne 2/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "line2", "the first wrong field has the focus");
  await page.locator("#line2").fill("Résidence du Beffroi");
  await screenshot(page, "clerk-card-form");
  await page.locator("#preview").click();
  assert.equal(await page.locator(".face").textContent(), "D'Ô NGUYEN ZOÉ");
  assert.deepEqual(await page.locator(".envelope span").allTextContents(),
    ["Zoé d'Ô Nguyễn", "Résidence du Beffroi", "4 rue de la Lanterne", "54999 VALBOURG"]);
  await see("clerk-card-preview");
  // Back to the form: what was typed is still there; then another person, and a second click on the button.
  await page.locator("#edit").click();
  assert.equal(await page.locator("#line2").inputValue(), "Résidence du Beffroi");
  await page.locator("#birth_name").fill(person.birth);
  await page.locator("#preview").click();
  const preview = page.url();
  await page.locator("#confirm").click();
  await page.waitForURL(/\/dossier\//);
  const dossier = /^.*\/dossier\/[^/?]+/.exec(page.url())[0];
  await waitForAction(page, dossier, "receipt");
  await page.goto(preview);
  assert.ok(page.url().startsWith(dossier), `the old page makes a second account: ${page.url()}`);
  await page.goto(`${dossier}/receipt`);
  await page.locator(".notice.good").waitFor();
  assert.equal(await paperPages(page), 1);
  await see("clerk-card-receipt");
  await walkByKeyboard(page, "receipt");

  // The citizen is back. The reader's file fills the text; a card of somebody else is told from the right one.
  const other = await makeCard(system, await asksForCard(page, someone("Autre")));
  const card = await makeCard(system, dossier);
  await page.goto(`${dossier}/handover`);
  await seesDocument(page);
  await fillsFromFile(page, other);
  await page.locator("#hand-over").click();
  await page.locator(".notice.bad").waitFor();
  assert.match(await shown(page), /pas la carte de cette personne/);
  await page.locator("#action-handover").click();
  await seesDocument(page);
  await fillsFromFile(page, card);
  await assertAccessible(page, "hand-over");
  await screenshot(page, "clerk-card-handover");
  await page.locator("#hand-over").click();
  await page.waitForURL(/\/acceptance/);
  assert.match(await shown(page), /Signature de la personne/);
  assert.equal(await paperPages(page), 1);
  await screenshot(page, "clerk-card-record");
  await page.goBack();
  assert.match(page.url(), /\/acceptance/, "the Back button offers a second hand-over");

  // Blocked, found again; the letter is lost: a second clerk. Another tab was open meanwhile.
  await page.goto(`${dossier}/block`);
  await seesDocument(page);
  await page.locator("#reason-lost").check();
  await page.locator("#block").click();
  await waitForAction(page, dossier, "reactivate");
  const tab = await page.context().newPage();
  await tab.goto(`${dossier}/reactivate`);
  await page.goto(`${dossier}/reactivate`);
  await seesDocument(page);
  await fillsFromFile(page, card);
  await page.locator("#pin").fill("1234 5678");
  await page.locator("#reactivate").click();
  assert.match(await page.locator("#pin-error").textContent(), /faute de frappe|code/);
  assert.equal(await page.locator("#pin").inputValue(), "", "what was typed comes back");
  await page.locator("#pin_lost").check();
  await page.locator("#reactivate").click();
  await page.locator(".notice.warn").waitFor();
  await seesDocument(tab);
  await fillsFromFile(tab, card);
  await tab.locator("#pin_lost").check();
  await tab.locator("#reactivate").click();
  assert.match(await shown(tab), /attend déjà un second agent/);
  await tab.close();
  const second = await visitor(browser);
  await clerkSignsIn(second, system, await newClerk(system));
  await second.locator("#proposed").waitFor();
  await second.goto(`${dossier}/approve`);
  assert.match(await shown(second), /n'a plus le code de retour/);
  await screenshot(second, "clerk-card-agree", { fullPage: false });
  await second.locator("#approve").click();
  await waitForAction(page, dossier, "reactivated");
  await page.goto(`${dossier}/reactivated`);
  assert.equal(await paperPages(page), 1);
  await see("clerk-card-return");
  for (const visitorPage of [page, second]) {
    assert.deepEqual(visitorPage.failures, []);
    await visitorPage.context().close();
  }
});

test("a software certificate, from the form to its sheet", SOFT, async () => {
  for (const named of [false, true]) {
    const page = await clerk();
    const person = someone("Etiquette");
    await page.goto(`${system.MAIRIE_URL}/new/certificate`);
    assert.equal(await page.locator("#line1").count(), 0);
    await fillForm(page, person, []);
    if (named) await page.locator("#named").check();
    await page.locator("#preview").click();
    assert.match(await shown(page), named ? /il part au serveur des comptes/ : /Le nom ne sort pas de la mairie/);
    await page.locator("#confirm").click();
    await page.waitForURL(/\/dossier\//);
    const dossier = /^.*\/dossier\/[^/?]+/.exec(page.url())[0];
    await waitForSheet(page);
    await page.locator("#show").click();
    await readSheet(page);
    assert.match(await shown(page), /Prenez le certificat/);
    assert.equal(await paperPages(page), 1);
    if (!named) await screenshot(page, "clerk-certificate-sheet");
    await page.goto(dossier);
    assert.equal(await page.locator(".code").count(), 1, "the number, and no code");
    const [[kind, asNamed]] = await query(system, "MAIRIE_DATABASE_URL", `SELECT type, named FROM mairie.dossier WHERE id = '${/[0-9a-f-]{36}/.exec(dossier)[0]}'`);
    assert.deepEqual([kind, asNamed], ["x509_soft", named ? "t" : "f"]);
    assert.deepEqual(page.failures, []);
    await page.context().close();
  }
});

test("without scripts: drafts, a card, and the way back by two", OPTIONS, async () => {
  const page = await clerk({ javaScriptEnabled: false });
  const person = someone("Sansfil");
  // A draft is found again with its kind of account; one that is gone says so.
  await page.goto(`${system.MAIRIE_URL}/new/card`);
  await page.locator("#birth_name").fill(person.birth);
  await page.locator("#line6").fill("54999 VALBOURG");
  await page.locator("#draft-keep").click();
  const id = new URL(page.url()).searchParams.get("draft");
  await page.goto(system.MAIRIE_URL);
  await page.locator(`a[href*="${id}"]`).click();
  assert.ok(page.url().includes("/new/card"));
  assert.equal(await page.locator("#line6").inputValue(), "54999 VALBOURG");
  await page.goto(`${system.MAIRIE_URL}/new/card?draft=${randomUUID()}`);
  assert.match(await shown(page), /n'existe pas/);
  await page.goto(`${system.MAIRIE_URL}/new/card/preview?draft=${randomUUID()}`);
  assert.match(await shown(page), /n'existe pas/);

  const dossier = await asksForCard(page, person);
  await page.goto(`${dossier}/receipt`);
  await page.locator(".notice.good").waitFor();
  const card = await makeCard(system, dossier);
  await page.goto(`${dossier}/handover`);
  await seesDocument(page);
  await page.locator("#certificate").fill(readFileSync(card, "utf8"));
  await page.locator("#hand-over").click();
  await page.waitForURL(/\/acceptance/);
  await page.goto(`${dossier}/block`);
  await seesDocument(page);
  await page.locator("#reason-lost").check();
  await page.locator("#block").click();
  await waitForAction(page, dossier, "reactivate");
  await page.locator("#action-reactivate").click();
  await seesDocument(page);
  await page.locator("#override-mute_card").check();
  await page.locator("#pin_lost").check();
  await page.locator("#reactivate").click();
  await page.locator(".notice.warn").waitFor();
  const second = await visitor(browser, { javaScriptEnabled: false });
  await clerkSignsIn(second, system, await newClerk(system));
  await second.goto(`${dossier}/approve`);
  await second.locator("#approve").click();
  await waitForAction(page, dossier, "reactivated");
  assert.equal(await page.locator("main .state").first().textContent(), "ouvert");
  for (const visitorPage of [page, second]) {
    assert.deepEqual(visitorPage.failures, []);
    await visitorPage.context().close();
  }
});
