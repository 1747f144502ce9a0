// Opens each page named on the command line in Chromium, in light and in dark and on a narrow screen, and prints as JSON what
// went wrong: script errors, requests that would leave the file, and what axe finds to be inaccessible in the first page (the
// others are too long for it).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const found = [];
for (const file of process.argv.slice(2)) {
  for (const look of [{ colorScheme: "light", viewport: { width: 1200, height: 900 } }, { colorScheme: "dark", viewport: { width: 420, height: 800 } }]) {
    // the page's own policy forbids all scripts; axe is one, and only it is let in
    const context = await browser.newContext({ ...look, bypassCSP: true });
    const page = await context.newPage();
    const say = (kind, what) => found.push({ file, look: look.colorScheme, kind, what });
    page.on("pageerror", (e) => say("error", String(e)));
    page.on("console", (m) => m.type() === "error" && say("console", m.text()));
    page.on("request", (r) => r.url() === pathToFileURL(file).href || say("request", r.url()));
    await page.goto(pathToFileURL(file).href);
    let violations = [];
    if (file === process.argv[2]) {
      await page.evaluate(axe);
      ({ violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] })));
    }
    for (const v of violations) say("accessibility", `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(" | ")}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) say("layout", `${wide} pixels wider than the window`);
    // how long the longest frame took while scrolling from top to bottom, in milliseconds
    const frame = await page.evaluate(async () => {
      let longest = 0, last = performance.now();
      for (let y = 0; y < document.documentElement.scrollHeight; y += 4000) {
        window.scrollTo(0, y);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      }
      return longest;
    });
    found.push({ file, look: look.colorScheme, kind: "frame", what: String(Math.round(frame)) });
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(found));
