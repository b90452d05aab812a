// server.mjs: the demo service « Sondage », a municipal opinion poll that knows its visitors through OpenID Connect.
//
//   node server.mjs CONFIG.json
//
// A relying party as a third party would write it: openid-client speaks the protocol and checks every answer
// (signature, issuer, audience, nonce, state, PKCE), this file has four pages. CONFIG.json: issuer, client_id,
// client_secret, base_url, listen (addresses), port, cert, key, ca (PEM files). Sessions live in memory.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { randomBytes } from "node:crypto";
import { Issuer, custom, generators } from "openid-client";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const css = readFileSync(new URL("./sondage.css", import.meta.url));
custom.setHttpOptionsDefaults({ timeout: 10_000, ca: readFileSync(config.ca) });

const LIFE_MS = 3600_000;
const COUNT_MAX = 10_000;
const flows = new Map();      // state → { nonce, verifier, browser, born }
const sessions = new Map();   // cookie → { claims, idToken, born }

// What people read; a claim that is not here is shown as the service received it.
const LABELS = {
  sub: "Identifiant (propre à ce service)",
  iss: "Qui l’affirme",
  aud: "Pour quel service",
  acr: "Niveau de garantie",
  amr: "Moyens employés",
  auth_time: "Connexion",
  iat: "Émis",
  exp: "Expire",
};

function escapeHtml(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function keep(map, key, value) {
  const now = Date.now();
  for (const [k, v] of map) {
    if (now - v.born < LIFE_MS && map.size < COUNT_MAX) break;   // the oldest come first
    map.delete(k);
  }
  map.set(key, { ...value, born: now });
}

function recall(map, key) {
  const value = key === undefined ? undefined : map.get(key);
  return value && Date.now() - value.born < LIFE_MS ? value : undefined;
}

function cookieOf(request, name) {
  for (const part of (request.headers.cookie ?? "").split(";")) {
    const [key, value] = part.trim().split("=", 2);
    if (key === name) return value;
  }
  return undefined;
}

function setCookie(response, name, value, life) {
  const line = `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${life}`;
  response.setHeader("Set-Cookie", [response.getHeader("Set-Cookie") ?? [], line].flat());
}

function page(response, status, title, content) {
  response.writeHead(status, {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
  });
  response.end(`<!DOCTYPE html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – Sondage</title>
<link rel="stylesheet" href="/sondage.css">
</head>
<body>
<header><p><strong>Sondage</strong> · service de démonstration, OpenID Connect</p></header>
<main>
<h1>${escapeHtml(title)}</h1>
${content}
</main>
</body>
</html>
`);
}

function redirect(response, url) {
  response.writeHead(303, { Location: url, "Cache-Control": "no-store" });
  response.end();
}

// Found when first needed and kept: the provider may start after us.
let known;
async function client() {
  if (!known) {
    const issuer = await Issuer.discover(config.issuer);
    known = new issuer.Client({
      client_id: config.client_id,
      client_secret: config.client_secret,
      redirect_uris: [`${config.base_url}/retour`],
      post_logout_redirect_uris: [`${config.base_url}/adieu`],
      response_types: ["code"],
      id_token_signed_response_alg: config.id_token_signed_response_alg ?? "RS256",
      token_endpoint_auth_method: "client_secret_basic",
    });
  }
  return known;
}

function shown(name, value) {
  if (["auth_time", "iat", "exp"].includes(name)) return new Date(value * 1000).toISOString();
  return typeof value === "object" ? JSON.stringify(value) : value;
}

function home(request, response) {
  const session = recall(sessions, cookieOf(request, "__Host-sondage"));
  if (!session) {
    page(response, 200, "Le sondage du quartier", `
<p>Faut-il planter des tilleuls place du Beffroi ? Une voix par personne, sans nom.</p>
<p><a class="button" href="/connexion">Se connecter avec Beffroi</a></p>`);
    return;
  }
  const rows = Object.entries(session.claims).map(([name, value]) =>
    `<tr><th scope="row">${escapeHtml(LABELS[name] ?? name)}</th><td data-name="${escapeHtml(name)}">${escapeHtml(shown(name, value))}</td></tr>`);
  page(response, 200, "Votre voix", `
<p class="ok" id="signed-in">Vous êtes connecté(e).</p>
<table><caption>Ce que Beffroi a dit de vous au sondage, et rien d’autre</caption><tbody>${rows.join("")}</tbody></table>
<p><a class="button" href="/deconnexion">Se déconnecter</a></p>`);
}

async function signIn(url, response) {
  const state = generators.state();
  const nonce = generators.nonce();
  const verifier = generators.codeVerifier();
  const browser = randomBytes(24).toString("base64url");
  const maxAge = url.searchParams.get("max_age") ?? undefined;
  keep(flows, state, { nonce, verifier, browser, maxAge });
  setCookie(response, "__Host-flow", browser, 3600);
  const asked = { scope: config.scope ?? "openid", state, nonce, code_challenge: generators.codeChallenge(verifier), code_challenge_method: "S256" };
  // What a service may ask besides; anything else in our own URL is not passed on.
  for (const name of ["prompt", "max_age", "acr_values", "ui_locales"]) {
    if (url.searchParams.has(name)) asked[name] = url.searchParams.get(name);
  }
  redirect(response, (await client()).authorizationUrl(asked));
}

async function back(request, response) {
  const rp = await client();
  const parameters = rp.callbackParams(request);
  const flow = recall(flows, parameters.state);
  if (!flow || flow.browser !== cookieOf(request, "__Host-flow")) {
    page(response, 400, "Connexion à recommencer", `<p id="refused">Cette connexion n’a pas commencé dans ce navigateur.</p>
<p><a class="button" href="/">Retour</a></p>`);
    return;
  }
  flows.delete(parameters.state);
  let tokens, userinfo;
  try {
    tokens = await rp.callback(`${config.base_url}/retour`, parameters,
      { state: parameters.state, nonce: flow.nonce, code_verifier: flow.verifier, max_age: flow.maxAge });
    userinfo = await rp.userinfo(tokens);
  } catch (error) {
    console.error(`sign-in failed: ${error.error ?? error.name}: ${error.error_description ?? error.message}`);
    page(response, 403, "Connexion refusée", `<p id="refused">Beffroi a répondu : <code>${escapeHtml(error.error ?? error.name)}</code>
${escapeHtml(error.error_description ?? "")}</p><p><a class="button" href="/">Retour</a></p>`);
    return;
  }
  const cookie = randomBytes(24).toString("base64url");
  keep(sessions, cookie, { claims: { ...userinfo, ...tokens.claims() }, idToken: tokens.id_token });
  setCookie(response, "__Host-sondage", cookie, 3600);
  setCookie(response, "__Host-flow", "", 0);
  redirect(response, "/");
}

async function signOut(request, response) {
  const cookie = cookieOf(request, "__Host-sondage");
  const session = recall(sessions, cookie);
  sessions.delete(cookie);
  setCookie(response, "__Host-sondage", "", 0);
  const rp = await client();
  if (session && rp.issuer.end_session_endpoint) {
    redirect(response, rp.endSessionUrl({ id_token_hint: session.idToken, post_logout_redirect_uri: `${config.base_url}/adieu` }));
  } else {
    redirect(response, "/adieu");
  }
}

async function handle(request, response) {
  const url = new URL(request.url, config.base_url);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { Allow: "GET, HEAD" });
    response.end();
    return;
  }
  switch (url.pathname) {
    case "/": return home(request, response);
    case "/connexion": return signIn(url, response);
    case "/retour": return back(request, response);
    case "/deconnexion": return signOut(request, response);
    case "/adieu":
      return page(response, 200, "À bientôt", `<p id="signed-out">Vous êtes déconnecté(e) du sondage.</p>
<p><a class="button" href="/">Retour</a></p>`);
    case "/sondage.css":
      response.writeHead(200, { "Content-Type": "text/css; charset=utf-8" });
      response.end(css);
      return undefined;
    default:
      return page(response, 404, "Page inconnue", `<p><a class="button" href="/">Retour</a></p>`);
  }
}

const options = { cert: readFileSync(config.cert), key: readFileSync(config.key), minVersion: "TLSv1.2" };
for (const address of config.listen) {
  const server = createServer(options, async (request, response) => {
    try {
      await handle(request, response);
    } catch (error) {
      console.error(`${request.url.split("?")[0]}: ${error.stack ?? error}`);
      if (!response.headersSent) page(response, 502, "Service en panne", "<p>Beffroi ne répond pas. Réessayez dans un moment.</p>");
    }
  });
  server.listen(config.port, address);
}
process.on("SIGTERM", () => process.exit(0));
process.on("SIGINT", () => process.exit(0));
