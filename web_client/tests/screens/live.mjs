// The three pages against a running server: publishes, watches, drops the signalling, leaves; prints what each page saw.
// usage: node tests/screens/live.mjs URL THEATRE CONSULT OBSERVE [folder]   (paths with fragment, from `loupe token --invitation`)
import { mkdirSync } from "node:fs";
import { launch, NARROW, visitor, WIDE } from "./browser.mjs";

const [url, theatreLink, consultLink, observeLink, folder = "screens"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launch();
const everybody = [];
const open = async (path, viewport, permissions) => {
  const who = await visitor(browser, url, viewport, permissions);
  everybody.push(who);
  await who.page.goto(url + path);
  return who;
};
const rates = async ({ page }) => {
  const look = () => page.evaluate(() => window.loupe.videos());
  const before = await look();
  await page.waitForTimeout(2000);
  return (await look()).map((v, i) => `${v.label} ${v.width}x${v.height} ${v.state} ${(v.frames - (before[i]?.frames ?? 0)) / 2} fps`);
};
let failed = false;
try {
  const theatre = await open(theatreLink, WIDE);
  await theatre.page.waitForSelector(".source video", { timeout: 8000 });
  await theatre.page.waitForTimeout(800);
  await theatre.page.click(".button.big");
  await theatre.page.waitForSelector('.source[data-type="endoscope"][data-state="sending"]', { timeout: 15000 });
  console.log("theatre sends", JSON.stringify(await theatre.page.evaluate(() => window.loupe.sending())));

  const consult = await open(consultLink, WIDE);
  await consult.page.waitForSelector(".meter", { timeout: 8000 });
  await consult.page.click(".button.big");
  await consult.page.waitForSelector('.tile[data-state="live"]', { timeout: 15000 });
  const observe = await open(observeLink, NARROW, []);
  await observe.page.waitForSelector(".button.big");
  await observe.page.click(".button.big");
  await observe.page.waitForSelector('.tile[data-state="live"]', { timeout: 15000 });
  await consult.page.waitForTimeout(6000);
  console.log("consult sees", await rates(consult));
  console.log("observe sees", await rates(observe));
  for (const [name, who] of [["consult", consult], ["observe", observe], ["theatre", theatre]]) {
    await who.page.screenshot({ path: `${folder}/live-${name}.png` });
  }
  const outbound = await theatre.page.evaluate(async () => (await window.loupe.stats()).publish.filter((s) => s.type === "outbound-rtp").map((s) => `${s.kind} ${s.rid ?? "-"} ${s.frameWidth ?? ""}x${s.frameHeight ?? ""} ${s.framesPerSecond ?? ""} pkts ${s.packetsSent}`));
  console.log("theatre layers", outbound);
  const audio = await theatre.page.evaluate(async () => (await window.loupe.stats()).subscribe.filter((s) => s.type === "inbound-rtp").map((s) => `${s.kind} pkts ${s.packetsReceived} lost ${s.packetsLost}`));
  console.log("theatre hears", audio);

  await consult.page.keyboard.press("1");
  await consult.page.waitForTimeout(2500);
  console.log("consult pinned", await rates(consult));
  await theatre.page.click('.source[data-type="endoscope"] .actions .button:first-child');
  await consult.page.waitForSelector('.tile[data-state="muted"]', { timeout: 5000 });
  await theatre.page.click('.source[data-type="endoscope"] .actions .button:first-child');
  await consult.page.waitForSelector('.tile[data-state="live"]', { timeout: 8000 });
  console.log("pause and resume of the source seen");
  await consult.page.keyboard.press("c");
  await consult.page.fill(".chat input", "Xin chào");
  await consult.page.keyboard.press("Enter");
  await consult.page.waitForSelector(".chat-text", { timeout: 5000 });
  console.log("chat line came back");
  await theatre.page.click('text="Thêm camera"');
  await theatre.page.waitForSelector('.source[data-type="overhead"] .button.main:not([disabled])');
  await theatre.page.click('.source[data-type="overhead"] .button.main');
  await consult.page.waitForFunction(() => document.querySelectorAll('.tile[data-state="live"]').length === 2, null, { timeout: 15000 });
  console.log("second camera seen");
  await theatre.page.click('.source[data-type="overhead"] .button.danger');
  await consult.page.waitForFunction(() => document.querySelectorAll(".tile").length === 1, null, { timeout: 8000 });
  console.log("second camera gone");
  await theatre.page.click('text="Thêm camera"');
  await theatre.page.waitForSelector('.source[data-type="overhead"] .button.main:not([disabled])');
  await theatre.page.click('.source[data-type="overhead"] .button.main');
  await consult.page.waitForFunction(() => document.querySelectorAll('.tile[data-state="live"]').length === 2, null, { timeout: 15000 });
  console.log("its section used again");
  await theatre.page.click(".bar .button.danger >> nth=1");
  await observe.page.waitForFunction(() => document.querySelectorAll(".tile").length === 0, null, { timeout: 8000 });
  console.log("theatre left");
} catch (error) {
  failed = true;
  console.error(error.message);
  for (const [i, { page }] of everybody.entries()) {
    await page.screenshot({ path: `${folder}/live-failed-${i}.png` });
    console.error(i, await page.title(), JSON.stringify(await page.evaluate(() => window.loupe && [window.loupe.phase(), window.loupe.room().publications, window.loupe.videos()])));
    const counts = await page.evaluate(async () => window.loupe && (await window.loupe.stats()).publish.filter((s) => s.type === "outbound-rtp" && s.kind === "video").map((s) => `mid ${s.mid} rid ${s.rid} ssrc ${s.ssrc} active ${s.active} sent ${s.packetsSent} key ${s.keyFramesEncoded} pli ${s.pliCount} fir ${s.firCount} ${s.frameHeight}p`));
    console.error(i, counts);
  }
} finally {
  for (const { problems } of everybody) for (const problem of problems) console.log(problem);
  await browser.close();
}
process.exit(failed ? 1 : 0);
