// Takes the pictures: node shoot.mjs DIR-OF-A-RUN DIR-OF-PICTURES.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [from, to] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1000, height: 1180 }, colorScheme: "light" });
await page.goto(pathToFileURL(resolve(join(from, "report.html"))).href);
await page.screenshot({ path: join(to, "report.png") });

const text = readFileSync(join(from, "top.txt"), "utf8").replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
await page.setContent(`<body style="margin:0;background:#16181c"><pre style="margin:0;padding:14px;color:#e6e6e1;font:13px/1.25 'DejaVu Sans Mono',monospace;display:inline-block">${text}</pre>`);
await page.locator("pre").screenshot({ path: join(to, "top.png") });
await browser.close();
