// walk.mjs: a visitor whose steps are counted against the route tables.
//
//     const routes = await htmlRoutes(system);             // what `beffroi-idp routes` and `beffroi-mairie routes` print
//     const walker = await startWalker(browser, system, routes, { lang: "fr" });
//     await walker.page.goto(system.BLOCK_URL);
//     await walker.look("block form");                     // axe-core in light and dark; what led here counts as visited
//     walker.visited                                       // names of the routes
//
// A route is visited when a navigation of the browser asked for it (GET, POST, or a redirect on the way) and the page at
// the end was looked at: reaching an address without looking at what it shows counts for nothing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { assertAccessible, visitor } from "./lib.mjs";

const run = promisify(execFile);

// Rows "door method path name html" as { door, method, pattern, name, origins }, only those that answer with a page.
export async function htmlRoutes(system) {
  const programs = [[system.IDP_BIN, "public", [system.IDP_BASE_URL, system.IDP2_BASE_URL]], [system.MAIRIE_BIN, "counter", [system.MAIRIE_URL]]];
  const routes = [];
  for (const [program, door, urls] of programs.filter(([path]) => path)) {
    const { stdout } = await run(program, ["routes"]);
    for (const line of stdout.trim().split("\n")) {
      const [at, method, path, name, kind] = line.split(/\s+/);
      assert.ok(kind !== undefined, `a row of five columns: ${line}`);
      if (kind !== "html") continue;
      assert.equal(at, door, `pages stand behind the ${door} door: ${line}`);
      const fixed = path.split("{").length;
      const pattern = new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{[a-z_]+\}/g, "[^/]+")}$`);
      routes.push({ method, path, pattern, name, fixed, origins: urls.map((url) => new URL(url).origin) });
    }
  }
  assert.ok(routes.length > 30, `${routes.length} routes`);
  // A literal path before one with a parameter, as the programs match them.
  return routes.sort((a, b) => a.fixed - b.fixed);
}

export async function startWalker(browser, system, routes, { lang = "fr", visited = new Set(), ...options } = {}) {
  const page = await visitor(browser, { locale: lang === "fr" ? "fr-FR" : "en-GB", ...options });
  const ours = new Set(routes.flatMap((route) => route.origins));
  let pending = [];
  page.on("request", (request) => {
    if (!request.isNavigationRequest() || request.frame() !== page.mainFrame()) return;
    const url = new URL(request.url());
    const route = routes.find((r) => r.method === request.method() && r.origins.includes(url.origin) && r.pattern.test(url.pathname));
    if (route) pending.push(route.name);
  });
  return {
    page,
    visited,
    async look(label) {
      await page.waitForLoadState("load");
      const where = `${lang} ${label}`;
      if (ours.has(new URL(page.url()).origin)) assert.equal(await page.getAttribute("html", "lang"), lang, where);
      for (const colorScheme of ["light", "dark"]) {
        // without motion: colours half way from one scheme to the other are nobody's
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await assertAccessible(page, `${where}, ${colorScheme}`);
      }
      await page.emulateMedia({ colorScheme: "light" });
      assert.deepEqual(page.failures, [], where);
      pending.forEach((name) => visited.add(name));
      pending = [];
    },
  };
}
