// pages.test.mjs: every page of the route tables, walked as citizens and clerks walk them, looked at in light and dark, in
// French and in English. A route marked html that no step reached fails the test: a new page needs a step here.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { activate, assertReflows, freshCode, newCitizen, sendMail, startBrowser, startSystem, waitForMail } from "./lib.mjs";
import { clerkSignsIn, fillAddress, fillForm, inYears, makeCard, newClerk, readSheet, waitForAction, waitForSheet } from "./counter.mjs";
import { addPasskey, addTotp, authenticator } from "./factors.mjs";
import { htmlRoutes, startWalker } from "./walk.mjs";
import { createAccount } from "../../tools/demo-town.mjs";

const system = await startSystem();
const browser = await startBrowser(system);
const routes = await htmlRoutes(system);
const LIMIT = { timeout: 480_000 };
const visited = { fr: new Set(), en: new Set() };
const asked = () => new URLSearchParams({ response_type: "code", client_id: "nobody", redirect_uri: "https://nowhere.test/", scope: "openid" });

// Posts to an address from a page of nobody's, as a service does with the browser.
async function post(page, url, fields) {
  await page.goto("about:blank");
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value.replace(/["&<]/g, (c) => `&#${c.charCodeAt(0)};`)}">`).join("");
  await page.setContent(`<form method="post" action="${url}">${inputs}<button>go</button></form>`);
  await Promise.all([page.waitForURL((to) => to.href !== "about:blank"), page.locator("button").click()]);
}

async function signIn(page, who) {
  await page.locator("#login").fill(who.login);
  await page.locator("#password").fill(who.password);
  await page.locator("#signin").click();
}

// The walk in English is for ./check --deep: templates.test.mjs has looked at each page in both languages.
for (const lang of process.env.BEFFROI_LONG ? ["fr", "en"] : ["fr"]) {
  const start = (options = {}) => startWalker(browser, system, routes, { lang, visited: visited[lang], ...options });
  const slim = (page, label) => assertReflows(page, `${lang} ${label}`);

  test(`${lang}: the counter, from the clerk's sign-in to the audit trail`, { ...LIMIT, skip: !system.MAIRIE_BIN && "no town hall here" }, async () => {
    const { page, look } = await start();
    const family = `Marche${randomBytes(4).toString("hex").replace(/\d/g, (d) => "abcdefghij"[d])}`;
    await page.goto(`${system.MAIRIE_URL}/login`);
    await look("clerk's sign-in");
    await page.locator("#signin").click();
    await look("clerk's sign-in refused");
    await clerkSignsIn(page, system, await newClerk(system, "Lou Premier"));
    await look("today");
    await page.goto(`${system.MAIRIE_URL}/new`);
    await look("new account");
    await page.locator("#new-password").click();
    await look("form");
    await page.locator("#preview").click();
    await look("form refused");
    await fillForm(page, { birth: family, given: "Jeanne" });
    await page.locator("#draft-keep").click();
    await look("draft kept");
    await page.locator("#preview").click();
    await page.locator("#confirm").waitFor();
    await look("preview");
    await page.locator("#confirm").click();
    await page.waitForURL(/\/dossier\//);
    const dossier = /\/dossier\/[^/?]+/.exec(page.url())[0];
    await page.goto(`${system.MAIRIE_URL}${dossier}/pending`);
    await look("asked for");
    await waitForSheet(page);
    await look("sheet ready");
    await page.locator("#show").click();
    await page.locator(".letter").waitFor();
    await look("sheet");
    await page.goto(`${system.MAIRIE_URL}${dossier}/print`);
    await look("sheet shown before");
    await page.goto(`${system.MAIRIE_URL}${dossier}`);
    await look("dossier");
    await page.goto(`${system.MAIRIE_URL}${dossier}/reissue`);
    await look("new codes");
    await page.locator("#doc_type").selectOption({ index: 1 });
    await page.locator("#doc_expiry").fill(inYears(4));
    await page.locator("#reissue").click();
    await waitForSheet(page);
    await look("new codes ready");
    await page.locator("#show").click();
    const codes = await readSheet(page);
    const other = await start();
    await clerkSignsIn(other.page, system, await newClerk(system));

    // An open account: its rights, at once and by two.
    await activate(system, codes);
    await waitForAction(page, `${system.MAIRIE_URL}${dossier}`, "authz");
    await page.locator("#action-authz").click();
    await look("change the rights");
    await slim(page, "change the rights");
    await page.locator("#authz_bibliotheque").check();
    await page.locator("#change").click();
    await page.locator(".notice.good").waitFor();
    await page.locator("#action-authz").click();
    await page.locator("#authz_peut_voter").check();
    await page.locator("#until_peut_voter").fill(inYears(1));
    await page.locator("#change").click();
    await look("right waits for a second clerk");
    await slim(page, "right waits for a second clerk");
    await other.page.goto(`${system.MAIRIE_URL}/`);
    await other.page.locator("#proposed").waitFor();
    await other.page.goto(`${system.MAIRIE_URL}${dossier}/approve`);
    await other.look("agree to a right");
    await slim(other.page, "agree to a right");
    await other.page.locator("#refuse").click();
    await other.look("refuse a right");
    await other.page.locator("#drop").click();
    await other.page.locator("#t-events").waitFor();

    // Somebody of the same name, and an authorisation that a second clerk must agree to.
    await page.goto(`${system.MAIRIE_URL}/new/password`);
    await fillForm(page, { birth: family, given: "Jeanne" }, ["peut_voter"], { peut_voter: inYears(1) });
    await page.locator("#preview").click();
    await page.locator("#other-person").waitFor();
    await look("somebody of this name");
    await page.locator("#other-person").click();
    await page.locator("#confirm").waitFor();
    await look("preview after the warning");
    await page.locator("#confirm").click();
    await page.waitForURL(/\/dossier\//);
    const second = /\/dossier\/[^/?]+/.exec(page.url())[0];
    await page.goto(`${system.MAIRIE_URL}${second}`);
    await look("dossier that waits for a second clerk");
    await other.page.goto(`${system.MAIRIE_URL}${second}/approve`);
    await other.look("approve");
    await other.page.locator("#approve").click();
    await other.look("approved");

    await page.goto(`${system.MAIRIE_URL}/search`);
    await look("search");
    await page.locator("#q").fill(family);
    await page.locator("#search").click();
    await page.locator("#results").waitFor();
    await look("found");
    await page.goto(`${system.MAIRIE_URL}${dossier}/block`);
    await look("block at the counter");
    await page.locator("#block").click();
    await look("block at the counter refused");
    await page.locator("#doc_type").selectOption({ index: 1 });
    await page.locator("#doc_expiry").fill(inYears(4));
    await page.locator("#reason-lost").check();
    await page.locator("#block").click();
    await look("blocked at the counter");

    // The end, and the way back.
    await page.locator("#action-close").click();
    await look("close an account");
    await slim(page, "close an account");
    await page.locator("#reason-departure").check();
    await page.locator("#close").click();
    await page.locator("#action-cancel").waitFor();
    await other.page.goto(`${system.MAIRIE_URL}${dossier}/approve`);
    await other.look("agree to a closing");
    await other.page.locator("#approve").click();
    await other.look("closed");
    await page.goto(`${system.MAIRIE_URL}${dossier}/reopen`);
    await look("open again");
    await slim(page, "open again");
    await page.locator("#reopen").click();
    await look("opening waits for a second clerk");
    await page.locator("#action-cancel").click();
    await page.locator("#drop").click();
    await page.locator("#action-reopen").waitFor();
    await page.goto(`${system.MAIRIE_URL}/audit`);
    await look("audit trail");
    await page.goto(`${system.MAIRIE_URL}/nothing-here`);
    await look("counter: no such page");
    await page.goto(`${system.MAIRIE_URL}/`);
    await page.locator("#logout").click();
    await look("clerk signed out");
    await page.context().close();
    await other.page.context().close();
  });

  test(`${lang}: a software certificate`, LIMIT, async () => {
    const { page, look } = await start();
    const address = `cert-${randomBytes(4).toString("hex")}@citoyens.test`;
    const codes = await createAccount(system, { type: "x509_soft" });
    await sendMail(system, { from: address, subject: codes.creation });
    const mail = await waitForMail(system, (m) => m.headers.to?.includes(address));
    await page.goto(mail.text.split(/\s+/).find((word) => word.startsWith(`${system.IDP_BASE_URL}/activate/`)));
    await page.locator("#code").fill(/^\s*(\d{4}) ?(\d{4})\s*$/m.exec(mail.text).slice(1).join(""));
    await page.locator("#check").click();
    await page.locator("#device-unknown").check();
    await look("device");
    await slim(page, "device");
    await page.locator("#choose").click();
    await page.locator("#download").waitFor();
    await look("certificate");
    await slim(page, "certificate");
    await page.locator("#expert summary").click();
    await page.locator("#request").fill("rien");
    await page.locator("#ask").click();
    await page.locator("#again").waitFor();
    await look("certificate refused");
    await page.goBack();
    await page.locator("#expert summary").click();
    await page.locator("#request").fill(execFileSync("openssl", ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-subj", "/CN=moi", "-keyout", "/dev/null"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
    await page.locator("#ask").click();
    await page.locator("#have-it").waitFor();
    await look("certificate issued");
    await slim(page, "certificate issued");
    await page.locator("#have-it").click();
    await page.locator("#go-signin").waitFor();
    await look("certificate delivered");
    await page.context().close();
  });

  test(`${lang}: a card at the counter`, { ...LIMIT, skip: !system.MAIRIE_BIN && "no town hall here" }, async () => {
    const { page, look } = await start();
    const family = `Carte${randomBytes(4).toString("hex").replace(/\d/g, (d) => "abcdefghij"[d])}`;
    await clerkSignsIn(page, system, await newClerk(system, "Lou Premier"));
    await page.goto(`${system.MAIRIE_URL}/new/certificate`);
    await look("form of a certificate");
    await slim(page, "form of a certificate");
    await page.goto(`${system.MAIRIE_URL}/new/card`);
    await look("form of a card");
    await slim(page, "form of a card");
    await page.locator("#preview").click();
    await look("form of a card refused");
    await fillForm(page, { birth: family, given: "Jeanne" }, []);
    await fillAddress(page);
    await page.locator("#preview").click();
    await page.locator("#confirm").waitFor();
    await look("preview of a card");
    await slim(page, "preview of a card");
    await page.locator("#confirm").click();
    await page.waitForURL(/\/dossier\//);
    const dossier = `${system.MAIRIE_URL}${/\/dossier\/[^/?]+/.exec(page.url())[0]}`;
    await waitForAction(page, dossier, "receipt");
    await look("dossier of a card");
    await page.goto(`${dossier}/receipt`);
    await look("receipt");
    await slim(page, "receipt");
    await makeCard(system, dossier);
    await page.goto(`${dossier}/handover`);
    await look("hand over a card");
    await slim(page, "hand over a card");
    await page.locator("#hand-over").click();
    await look("hand over a card refused");
    await page.locator("#doc_type").selectOption({ index: 1 });
    await page.locator("#doc_expiry").fill(inYears(4));
    await page.locator("#override-no_reader").check();
    await page.locator("#hand-over").click();
    await look("hand-over waits for a second clerk");
    const other = await start();
    await clerkSignsIn(other.page, system, await newClerk(system));
    await other.page.goto(`${dossier}/approve`);
    await other.look("agree to a hand-over");
    await other.page.locator("#approve").click();
    await waitForAction(page, dossier, "acceptance");
    await page.goto(`${dossier}/acceptance`);
    await look("record of the hand-over");
    await slim(page, "record of the hand-over");
    await page.goto(`${dossier}/block`);
    await page.locator("#doc_type").selectOption({ index: 1 });
    await page.locator("#doc_expiry").fill(inYears(4));
    await page.locator("#reason-lost").check();
    await page.locator("#block").click();
    await waitForAction(page, dossier, "reactivate");
    await page.goto(`${dossier}/reactivate`);
    await look("open again with a card");
    await slim(page, "open again with a card");
    await page.locator("#pin").fill("12345");
    await page.locator("#reactivate").click();
    await look("open again with a card refused");
    await page.locator("#doc_type").selectOption({ index: 1 });
    await page.locator("#doc_expiry").fill(inYears(4));
    await page.locator("#override-mute_card").check();
    await page.locator("#pin").fill("");
    await page.locator("#pin_lost").check();
    await page.locator("#reactivate").click();
    await look("return waits for a second clerk");
    await other.page.goto(`${dossier}/approve`);
    await other.look("agree to a return");
    await other.page.locator("#approve").click();
    await waitForAction(page, dossier, "reactivated");
    await page.goto(`${dossier}/reactivated`);
    await look("sheet of the return");
    await slim(page, "sheet of the return");
    await page.goto(`${dossier}/reissue`);
    await look("a card has no new sheet");
    await page.context().close();
    await other.page.context().close();
  });

  test(`${lang}: activation, my page, services, blocking`, LIMIT, async () => {
    const { page, look } = await start();
    const known = await newCitizen(system);
    const address = `page-${randomBytes(4).toString("hex")}@citoyens.test`;
    await page.goto(system.IDP_BASE_URL);
    await look("front page");
    await slim(page, "front page");
    await page.goto(`${system.IDP_BASE_URL}/activate/AAAAAAAAAAAAAAAAAAAAAA`);
    await look("link of nobody");

    // Activation, with a fresh account of the town door.
    const codes = await createAccount(system);
    await sendMail(system, { from: address, subject: codes.creation });
    const mail = await waitForMail(system, (m) => m.headers.to?.includes(address));
    await page.goto(mail.text.split(/\s+/).find((word) => word.startsWith(`${system.IDP_BASE_URL}/activate/`)));
    await look("activation code");
    await slim(page, "activation code");
    await page.locator("#code").fill("00000000");
    await page.locator("#check").click();
    await look("activation code refused");
    await page.locator("#code").fill(/^\s*(\d{4}) ?(\d{4})\s*$/m.exec(mail.text).slice(1).join(""));
    if (await page.locator("#sheet").count() > 0) await page.locator("#sheet").fill(codes.sheet);
    await page.locator("#check").click();
    await page.locator("#choose").waitFor();
    await look("choose");
    await slim(page, "choose");
    await page.locator("#login").fill(known.login);
    await page.locator("#password").fill("123");
    await page.locator("#choose").click();
    await look("choice refused");
    const who = { login: `page-${randomBytes(4).toString("hex")}`, password: `quatre mots ${randomBytes(6).toString("hex")}` };
    await page.locator("#login").fill(who.login);
    await page.locator("#password").fill(who.password);
    await page.locator("#keep_mail").check();
    await page.locator("#choose").click();
    await page.locator("#go-signin").waitFor();
    await look("account open");
    await slim(page, "account open");

    // My page and what it offers.
    await page.goto(`${system.IDP_BASE_URL}/login`);
    await look("sign-in");
    await slim(page, "sign-in");
    await signIn(page, { login: who.login, password: "not this one" });
    await look("sign-in refused");
    await signIn(page, who);
    await page.locator("#go-password").waitFor();
    await look("my page");
    await slim(page, "my page");
    await page.locator("#go-password").click();
    await look("change the password");
    await page.locator("#current").fill("not this one");
    await page.locator("#password").fill(`${who.password} neuf`);
    await page.locator("#change").click();
    await look("change refused");
    await page.goto(system.IDP_BASE_URL);
    await page.locator("#mail-delete").click();
    await look("address forgotten");
    await page.goto(`${system.IDP_BASE_URL}/logout`);
    await look("sign out?");
    await page.locator("form button").first().click();
    await look("signed out");

    // The services: OpenID Connect, asked by GET and by POST, given up and taken up again.
    await page.goto(`${system.SONDAGE_URL}/connexion`);
    const flow = page.url();
    await look("sign-in for a service");
    await page.locator("#cancel").click();
    await look("given up");
    await page.goto(`${system.IDP_BASE_URL}/signon/AAAAAAAAAAAAAAAAAAAAAA`);
    await look("sign-in that waited too long");
    await page.goto(`${flow}/certificate/AAAAAAAAAAAAAAAAAAAAAA.AAAA`);
    await look("certificate step that waited too long");
    await slim(page, "certificate step that waited too long");
    assert.ok(flow.startsWith(system.IDP_BASE_URL), flow);
    await page.goto(`${system.SONDAGE_URL}/connexion`);
    await signIn(page, who);
    await page.locator("#signed-in").waitFor();
    await look("at the service");

    // What the service is about to receive: shown, answered with neither button, refused, agreed to.
    const transfer = `${system.IDP_BASE_URL}/oidc/authorize?${new URLSearchParams({ response_type: "code", client_id: "sondage",
      redirect_uri: `${system.SONDAGE_URL}/retour`, scope: "openid authorisations town", state: "s", prompt: "consent" })}`;
    await page.goto(transfer);
    await page.locator("#accept").waitFor();
    await look("what the service will receive");
    await slim(page, "what the service will receive");
    await page.locator("#refuse").evaluate((button) => button.form.requestSubmit());
    await page.locator("#accept").waitFor();
    await look("what the service will receive, again");
    await page.locator("#refuse").click();
    await page.waitForURL(`${system.SONDAGE_URL}/retour?*error=access_denied*`);
    await page.goto(transfer);
    await page.locator("#accept").click();
    await page.waitForURL(`${system.SONDAGE_URL}/retour?*code=*`);

    // My page again: closed elsewhere, an agreement withdrawn.
    const other = await start();
    await other.page.goto(`${system.IDP_BASE_URL}/login`);
    await signIn(other.page, who);
    await other.page.locator("#sessions-end").click();
    await other.page.locator("#sessions-end").waitFor({ state: "detached" });
    await other.look("closed elsewhere");
    await slim(other.page, "my page with sessions");
    await other.page.locator("#logout").evaluate((button) => {
      button.form.action = "/ma-page/accords";
      button.form.requestSubmit();
    });
    await other.page.waitForURL(/fait=accords/);
    await other.look("agreement withdrawn");
    await other.page.context().close();
    await page.goto(system.IDP_BASE_URL);
    await look("front page after being closed from elsewhere");
    await page.goto(`${system.SONDAGE_URL}/connexion`);
    await signIn(page, who);
    await page.locator("#signed-in").waitFor();
    await post(page, `${system.IDP_BASE_URL}/oidc/authorize`, Object.fromEntries(asked()));
    await look("asked by somebody unknown, POST");
    await page.goto(`${system.IDP_BASE_URL}/oidc/authorize?${asked()}`);
    await look("asked by somebody unknown");
    await post(page, `${system.IDP_BASE_URL}/oidc/logout`, { state: "s" });
    await look("logout asked by nobody, POST");
    await page.goto(`${system.IDP_BASE_URL}/oidc/logout`);
    await look("logout asked by nobody");

    if (system.AGENDA_PID) {
      await page.goto(system.AGENDA_URL);
      await page.getByRole("link", { name: "Se connecter avec Beffroi" }).click();
      await page.locator("#signed-in").waitFor();
      await look("at the SAML service");
      await page.getByRole("link", { name: "Se déconnecter" }).click();
      await look("signed out from the SAML service");
      await post(page, `${system.IDP_BASE_URL}/saml/sso`, { SAMLRequest: "AAAA" });
      await look("no SAML request");
      await post(page, `${system.IDP_BASE_URL}/saml/slo`, { SAMLRequest: "AAAA" });
      await look("no SAML logout request");
      await page.goto(`${system.IDP_BASE_URL}/saml/slo`);
      await look("no SAML logout request, GET");
      await page.goto(`${system.IDP_BASE_URL}/saml/start?sp=nobody`);
      await look("a service that nobody knows");
    }

    // Blocking: with the paper's code, and from one's own page.
    const elsewhere = await start();
    await elsewhere.page.goto(system.BLOCK_URL);
    await elsewhere.look("block");
    await slim(elsewhere.page, "block");
    await elsewhere.page.locator("#code").fill("nonsense");
    await elsewhere.page.locator("#block").click();
    await elsewhere.look("block refused");
    await elsewhere.page.goto(system.BLOCK_URL);
    await elsewhere.page.locator("#code").fill(known.revocation);
    await elsewhere.page.locator("#block").click();
    await elsewhere.page.locator("#reason-lost").waitFor();
    await elsewhere.look("blocked, why?");
    await slim(elsewhere.page, "blocked, why?");
    await elsewhere.page.locator("#reason-lost").click();
    await elsewhere.look("blocked");
    await slim(elsewhere.page, "blocked");
    await elsewhere.page.goto(system.BLOCK_URL);
    await elsewhere.page.locator("#code").fill(known.revocation);
    await elsewhere.page.locator("#block").click();
    await elsewhere.look("blocked before");

    await page.goto(`${system.IDP_BASE_URL}/login`);
    if (await page.locator("#signin").count() > 0) await signIn(page, who);
    await page.locator("#go-block").click();
    await look("block my account");
    await slim(page, "block my account");
    await page.locator("#reason-lost").click();
    await look("my account is blocked");
    await page.goto(`${system.IDP_BASE_URL}/nothing-here`);
    await look("no such page");
    await page.context().close();
    await elsewhere.page.context().close();
  });

  test(`${lang}: second factors, on my page and at the sign-in`, LIMIT, async () => {
    const { page, look } = await start();
    const who = await newCitizen(system);
    const mine = `${system.IDP_BASE_URL}/ma-page/double-verification`;
    await authenticator(page);
    await page.goto(`${system.IDP_BASE_URL}/login`);
    await signIn(page, who);
    await page.locator("#go-factors").waitFor();
    await page.goto(mine);
    await look("second factors: none");
    await slim(page, "second factors: none");
    await page.goto(`${mine}/application`);
    await look("a program that shows codes");
    await slim(page, "a program that shows codes");
    await page.locator("#add").click();
    await look("a program refused");
    await page.goto(system.IDP_BASE_URL);
    const { key } = await addTotp(page);
    await look("recovery codes");
    await slim(page, "recovery codes");
    await page.goto(`${mine}/cle`);
    await look("a passkey");
    await slim(page, "a passkey");
    await page.goto(mine);
    await addPasskey(page, "téléphone");
    await page.locator(".notice.good").waitFor();
    await look("second factors: two");
    await slim(page, "second factors: two");
    await page.locator("#codes-renew").click();
    await page.locator("#codes-kept").waitFor();
    await look("new recovery codes");
    await page.context().clearCookies();
    await page.goto(`${system.IDP_BASE_URL}/login?lang=${lang}`);
    await signIn(page, who);
    await page.locator("#check").waitFor();
    await look("second page of a sign-in");
    await slim(page, "second page of a sign-in");
    await page.locator("#code").fill("123456");
    await page.locator("#check").click();
    await look("second page refused");
    await page.locator("#code").fill(await freshCode(key));
    await page.locator("#check").click();
    await page.locator("#go-factors").click();
    await page.locator("#remove-totp").click();
    await page.locator(".notice.good").waitFor();
    await look("a factor removed");
    await page.context().close();
  });

  // With certificates and what comes of them: certificate.test.mjs.
  test(`${lang}: cards and certificates, on my page`, LIMIT, async () => {
    const { page, look } = await start();
    const mine = `${system.IDP_BASE_URL}/ma-page/cartes`;
    await page.goto(`${system.IDP_BASE_URL}/login`);
    await signIn(page, await newCitizen(system));
    await page.locator("#logout").waitFor();
    await page.goto(mine);
    await look("cards and certificates");
    await slim(page, "cards and certificates");
    await page.goto(`${mine}/ajouter`);
    await look("nothing may be added");
    for (const [path, label] of [["/lier", "an old ticket"], ["/retirer", "nothing to take away"]]) {
      await page.goto(system.IDP_BASE_URL);
      await page.locator("form[action='/logout']").evaluate((form, to) => { form.action = to; }, mine + path);
      await page.locator("#logout").click();
      await page.locator("#back").waitFor();
      await look(label);
    }
    // An account of this kind has no such certificate to renew.
    await page.goto(system.IDP_BASE_URL);
    await page.locator("form[action='/logout']").evaluate((form, to) => { form.action = to; }, `${system.IDP_BASE_URL}/ma-page/certificat/firefox/request`);
    await page.locator("#logout").click();
    await page.locator("#go-factors").waitFor();
    await look("nothing to renew");
    await page.context().close();
  });

  test(`${lang}: no page of the route tables was left out`, () => {
    const left = routes.filter((route) => !visited[lang].has(route.name)).map((route) => `${route.method} ${route.path} ${route.name}`);
    assert.deepEqual(left, []);
  });
}
