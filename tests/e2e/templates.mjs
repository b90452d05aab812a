// templates.mjs: the templates rendered from their fixtures by the unit test test_templates, served on loopback with the
// content policy of the real server, without any of our processes. For templates.test.mjs and tools/page-preview.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const TOP = fileURLToPath(new URL("../..", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".css": "text/css",
  ".js": "text/javascript", ".svg": "image/svg+xml" };
const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'";

function renderer() {
  const builds = [process.env.BEFFROI_BUILD, "build/check-asan", "build/check-gcc", "build",
    ...readdirSync(TOP).filter((name) => name.startsWith("build-"))].filter(Boolean);
  const found = builds.map((build) => join(build.startsWith("/") ? build : join(TOP, build), "tests", "test_templates"))
    .find((path) => existsSync(path));
  if (!found) throw new Error("test_templates is not built");
  return found;
}

// { base, pages: [{ lang, name, url }], close() }
export async function serveTemplates() {
  const folder = mkdtempSync(join(tmpdir(), "beffroi-pages."));
  execFileSync(renderer(), { env: { ...process.env, BEFFROI_PAGE_PREVIEW: folder }, stdio: "ignore" });
  const assets = readFileSync(join(folder, "assets.txt"), "utf8");
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const asset = pathname.startsWith(`${assets}/`) ? pathname.slice(assets.length + 1) : null;
    const path = asset === null ? join(folder, pathname)
      : join(TOP, "templates", asset.startsWith("themes/") ? asset : `assets/${asset}`);
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(path)], "content-security-policy": POLICY });
    return response.end(readFileSync(path));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  const pages = ["fr", "en"].flatMap((lang) => readdirSync(join(folder, lang)).sort()
    .filter((file) => file.endsWith(".html") && !/^town\.letter[._]/.test(file))
    .map((file) => ({ lang, name: file.slice(0, -".html".length), url: `${base}/${lang}/${file}` })));
  return { base, pages, close() {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  } };
}

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
      "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"] });
}

// A page that posts itself where scripts run leaves before anybody can look at it.
export async function stay(page, name) {
  if (name.startsWith("saml.post")) await page.route(/beffroi\.js$/, (route) => route.fulfill({ body: "", contentType: "text/javascript" }));
}
