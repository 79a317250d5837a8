// Chromium for the screen tests: fake devices, a folder for pictures, and a count of requests that leave the server.
import { chromium } from "playwright-core";
import { forwarder } from "./forwarder.mjs";

export const WIDE = { width: 1366, height: 768 };
export const NARROW = { width: 390, height: 844 };

/** Without `grantDevices` every question for a camera is answered with no, as by a person who presses "Block". */
export function launch({ grantDevices = true } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu",
      // Chromium gathers no loopback candidates by itself; a server on 127.0.0.1 needs them.
      "--allow-loopback-in-peer-connection", "--use-fake-device-for-media-stream", ...(grantDevices ? ["--use-fake-ui-for-media-stream"] : ["--deny-permission-prompts"]),
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--autoplay-policy=user-gesture-required", "--disable-features=WebRtcHideLocalIpsWithMdns",
    ],
  });
}

/** A page that forwards media in place of the data plane. */
export async function forwarderPage(browser) {
  const page = await browser.newPage();
  await page.evaluate(`(${forwarder.toString()})()`);
  return { page, call: (method, ...args) => page.evaluate(([m, a]) => window.forwarder[m](...a), [method, args]) };
}

/** A visitor with a clean profile; `problems` collects script errors, console errors and foreign requests. */
export async function visitor(browser, origin, viewport, permissions = ["camera", "microphone"]) {
  const context = await browser.newContext({ viewport, permissions, locale: "vi-VN" });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`script: ${error.message}`));
  page.on("console", (line) => line.type() === "error" && problems.push(`console: ${line.text()}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith(origin.replace("http", "ws")) && !/^(blob|data):/.test(url)) problems.push(`foreign request: ${url}`);
  });
  return { page, problems, close: () => context.close() };
}
