import { execFileSync } from "node:child_process";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];

/** Whether this machine has a Chromium that tests can drive. Throws under CI if it has none. */
export function hasChromium(): boolean {
  const has = program() !== undefined;
  if (!has && process.env.CI === "true") throw new Error("CI must have chromium");
  return has;
}

function program(): string | undefined {
  return PROGRAMS.map((name) => {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      return ""; // `which` fails where the program is not there
    }
  }).find((path) => path !== "");
}

/** A browser, closed after the test. */
export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: program() as string, args: ["--no-sandbox"] });
  onTestFinished(() => browser.close());
  return browser;
}

export interface WatchedPage {
  readonly page: Page;
  /** What went wrong in the page so far: errors, what the policy refused, and requests to other hosts than the service's. */
  readonly wrongs: string[];
}

/** A page of a browser whose errors and requests are noted. */
export async function openPage(
  browser: Browser,
  service: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const wrongs: string[] = [];
  page.on("pageerror", (error) => wrongs.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // The console repeats each answer that is a problem; the screens say those themselves.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      wrongs.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${service}/`)) wrongs.push(`request to ${request.url()}`);
  });
  return { page, wrongs };
}

/** Fails with the rules of axe that the page breaks. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const found = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
    "axe.run(document, { resultTypes: ['violations'] })",
  );
  const broken = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  expect(broken, page.url()).toEqual([]);
}

/** Presses Tab until what has the focus is named so; throws after 100 times. */
export async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  for (let presses = 0; presses < 100; presses++) {
    await page.keyboard.press("Tab");
    const text = await page.evaluate<string>(
      "(document.activeElement.labels?.[0]?.firstChild?.textContent ?? document.activeElement.textContent ?? '').trim()",
    );
    if (typeof name === "string" ? text === name : name.test(text)) return;
  }
  throw new Error(`Tab never reaches ${name} on ${page.url()}`);
}
