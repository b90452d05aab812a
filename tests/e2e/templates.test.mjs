// Every template as it is rendered from its fixture, in both languages: accessible in light and dark, wide and narrow,
// by keyboard, without scripts, and on paper. The routes of the running programs have their own test; this one sees the
// variants (errors, empty lists, long names) that a walk through the programs would not meet.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertAccessible, assertReflows, visitor, walkByKeyboard } from "./lib.mjs";
import { launch, serveTemplates, stay } from "./templates.mjs";

const served = await serveTemplates();
const browser = await launch();
after(async () => {
  await browser.close();
  served.close();
});

async function open(target, options) {
  const page = await visitor(browser, options);
  await stay(page, target.name);
  await page.goto(target.url);
  return page;
}

// One window for many pages: a new one for each would cost more than the looking.
async function each(pages, options, look) {
  const page = await visitor(browser, options);
  for (const target of pages) {
    await page.unrouteAll();
    await stay(page, target.name);
    page.failures.length = 0;
    await page.goto(target.url);
    await look(page, target, `${target.lang} ${target.name}`);
  }
  await page.context().close();
}
const french = served.pages.filter((page) => page.lang === "fr");
const english = served.pages.filter((page) => page.lang === "en");

test("every page is accessible, reflows and is walked by keyboard", async () => {
  assert.ok(french.length > 50);
  await each(french, {}, async (page, target, label) => {
    assert.equal(await page.getAttribute("html", "lang"), "fr");
    await assertAccessible(page, label);
    await assertReflows(page, label);
    await walkByKeyboard(page, label);
    assert.deepEqual(page.failures, [], label);
  });
});

test("every page reflows and fails nowhere in English", async () => {
  assert.equal(english.length, french.length);
  await each(english, { viewport: { width: 320, height: 600 } }, async (page, target, label) => {
    assert.equal(await page.getAttribute("html", "lang"), "en");
    await assertReflows(page, label);
    assert.deepEqual(page.failures, [], label);
  });
});

test("every page is accessible in the dark on a phone, its controls large enough for a finger", async () => {
  await each(french, { colorScheme: "dark", viewport: { width: 390, height: 844 } }, async (page, target, label) => {
    await assertAccessible(page, `dark ${label}`);
    // Boxes to tick are 22 pixels beside a label that is theirs to touch (WCAG 2.5.8: user agent control and spacing).
    const small = await page.evaluate(() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select")]
      .filter((e) => e.checkVisibility() && !e.closest(".skip") && !["checkbox", "radio"].includes(e.type))
      .map((e) => [e.id || e.textContent, e.getBoundingClientRect().width, e.getBoundingClientRect().height])
      .filter(([, width, height]) => width < 24 || height < 24));
    assert.deepEqual(small, [], label);
  });
});

test("without scripts nothing is missing but the comforts", async () => {
  await each(french, { javaScriptEnabled: false }, async (page, target, label) => {
    assert.ok(await page.locator("h1").first().isVisible(), label);
    assert.deepEqual(page.failures, [], label);
  });
});

test("a shown password is hidden again before it is sent", async () => {
  const page = await open(served.pages.find((p) => p.name === "signon.login.plain" && p.lang === "fr"));
  await page.fill("#password", "quatre mots au hasard");
  await page.click("button[aria-controls=password]");
  assert.equal(await page.getAttribute("#password", "type"), "text");
  await page.evaluate(() => document.querySelector("#password").form.addEventListener("submit", (e) => e.preventDefault()));
  await page.click("#signin");
  assert.equal(await page.getAttribute("#password", "type"), "password");
});

test("an answer posts itself to the service, where scripts run", async () => {
  const page = await visitor(browser);
  // The policy of this server permits our own addresses only: that it was stopped shows that it was tried.
  const stopped = page.waitForEvent("console", { predicate: (message) => /form-action/.test(message.text()) });
  await page.goto(served.pages.find((p) => p.name === "saml.post.plain").url, { waitUntil: "commit" });
  await stopped;
});

test("a paper is one page, two at most in large print", async () => {
  for (const target of served.pages.filter((p) => /^town\.(print|paper)\./.test(p.name))) {
    const page = await open(target);
    const pdf = (await page.pdf({ format: "A4", preferCSSPageSize: true, tagged: true })).toString("latin1");
    const sheets = pdf.match(/\/Type\s*\/Page\b(?!s)/g).length;
    const short = /^town\.(paper|print\.codes)/.test(target.name);
    const wanted = !target.name.includes("large") ? [1] : short ? [1, 2] : [2];
    assert.ok(wanted.includes(sheets), `${target.lang} ${target.name}: ${sheets} pages`);
    assert.match(pdf, /\/StructTreeRoot/, "the PDF is tagged");
    const sizes = await page.evaluate(() => [...document.querySelectorAll(".letter *")]
      .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== ""))
      .map((e) => [e.closest(".code") ? "code" : "text", parseFloat(getComputedStyle(e).fontSize) * 0.75]));
    for (const [kind, points] of sizes) assert.ok(points >= (kind === "code" ? 16 : 12) - 0.01, `${kind} of ${points} points`);
    await page.context().close();
  }
});
