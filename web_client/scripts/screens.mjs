// Opens every page in Chromium against the scripted server and takes the pictures that people look at.
// usage: npm run build && npm run screens -- [folder for pictures]
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { forwarderPage, launch, NARROW, visitor, WIDE } from "../tests/screens/browser.mjs";
import { serve } from "../tests/screens/server.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2] ?? resolve(here, "../screens"));
mkdirSync(folder, { recursive: true });

const browser = await launch();
const media = await forwarderPage(browser);
const server = await serve(resolve(here, "../../signalling/static"), media.call);
const shot = async ({ page }, name) => {
  await page.screenshot({ path: resolve(folder, `${name}.png`) });
  console.log(`${name}: ${await page.title()}`);
};
const open = async (path, viewport, permissions) => {
  const who = await visitor(browser, server.url, viewport, permissions);
  await who.page.goto(server.url + path);
  return who;
};

const everybody = [];
try {
  const start = await open("/", WIDE);
  await start.page.waitForSelector("#invitation");
  await shot(start, "start-wide");
  await start.page.close();

  const theatre = await open("/theatre/7QK2#7QK2.surgeon", WIDE);
  everybody.push(theatre);
  await theatre.page.waitForSelector(".source video");
  await theatre.page.fill("#name", "BS. Nguyễn Văn An");
  await theatre.page.waitForTimeout(1500);
  await shot(theatre, "theatre-lobby-wide");
  await theatre.page.click(".button.big");
  await theatre.page.waitForSelector('.source[data-type="endoscope"][data-state="sending"]');
  await theatre.page.click("text=Thêm camera");
  await theatre.page.waitForTimeout(1000);
  await theatre.page.selectOption('.source[data-type="overhead"] select', "monitor");
  await theatre.page.waitForTimeout(800);
  await theatre.page.click('.source[data-type="monitor"] .button.main');
  await theatre.page.waitForSelector('.source[data-type="monitor"][data-state="sending"]');

  const consult = await open("/consult/7QK2#7QK2.specialist", WIDE);
  everybody.push(consult);
  await consult.page.waitForSelector(".meter");
  await consult.page.fill("#name", "PGS. Trần Thị Bình");
  await consult.page.waitForTimeout(1200);
  await shot(consult, "consult-lobby-wide");
  await consult.page.click(".button.big");
  await consult.page.waitForSelector('.tile[data-state="live"]');

  const observe = await open("/observe/7QK2#7QK2.observer", NARROW, []);
  everybody.push(observe);
  await observe.page.waitForSelector(".button.big");
  await shot(observe, "observe-lobby-narrow");
  await observe.page.click(".button.big");
  await observe.page.waitForSelector('.tile[data-state="live"]');
  await new Promise((r) => setTimeout(r, 3000));
  await shot(consult, "consult-wide");
  await shot(observe, "observe-narrow");
  await shot(theatre, "theatre-wide");
  console.log(JSON.stringify(await consult.page.evaluate(() => window.loupe.videos())));

  await consult.page.keyboard.press("1");
  await consult.page.keyboard.press("c");
  await consult.page.waitForTimeout(500);
  await consult.page.fill(".chat input", "Xin nghiêng camera sang trái một chút.");
  await consult.page.keyboard.press("Enter");
  await consult.page.waitForTimeout(600);
  await shot(consult, "consult-pinned-wide");

  const first = [...server.publications.values()].find((p) => p.source_type === "endoscope").id;
  await media.call("freeze", first);
  await consult.page.waitForSelector(`.tile[data-publication="${first}"][data-state="frozen"]`);
  await consult.page.waitForTimeout(3000);
  await shot(consult, "consult-frozen-wide");
  await shot(observe, "observe-frozen-narrow");
  await media.call("thaw", first);
  await consult.page.waitForSelector(`.tile[data-publication="${first}"][data-state="live"]`);

  server.down();
  await consult.page.waitForSelector('.shell[data-standing="reconnecting"]');
  await shot(consult, "consult-reconnecting-wide");
  server.up();
  await consult.page.waitForSelector('.shell[data-standing="connected"]', { timeout: 15000 });
  await theatre.page.setViewportSize(NARROW);
  await consult.page.setViewportSize(NARROW);
  await theatre.page.waitForTimeout(800);
  await shot(theatre, "theatre-narrow");
  await consult.page.keyboard.press("Escape");
  await shot(consult, "consult-narrow");
  await consult.page.evaluate(() => document.querySelectorAll(".bar-actions .button.danger")[0].click());
  await consult.page.waitForSelector(".card.error");
  await shot(consult, "consult-left-narrow");

  const strict = await launch({ grantDevices: false });
  const denied = await visitor(strict, server.url, NARROW, []);
  everybody.push(denied);
  await denied.page.goto(`${server.url}/consult/7QK2#7QK2.specialist`);
  await denied.page.waitForSelector(".card.error");
  await shot(denied, "consult-denied-narrow");
  await strict.close();
  const expired = await open("/observe/7QK2#old", NARROW, []);
  await expired.page.waitForSelector(".card.error");
  await shot(expired, "observe-expired-narrow");
  const wrong = await open("/theatre/7QK2#7QK2.observer", NARROW, []);
  everybody.push(wrong);
  await wrong.page.waitForSelector(".card");
  await shot(wrong, "theatre-wrong-narrow");
} finally {
  for (const { problems } of everybody) for (const problem of problems) console.log(problem);
  await browser.close();
  server.close();
}
