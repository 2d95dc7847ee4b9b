import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { expectAccessible, hasChromium, openBrowser, openPage, tabTo } from "../support/chromium.js";
import { startService } from "../support/service.js";

const KEY = "a-key-of-the-dashboard";
/** With TEST_SCREENSHOTS=1 the test renews the pictures of docs/dashboard.md. */
const PICTURES =
  process.env.TEST_SCREENSHOTS === "1" ? fileURLToPath(new URL("../../docs/images/", import.meta.url)) : null;

interface Pair {
  readonly id: string;
  readonly group: string;
  readonly query: string;
  readonly document: string;
  readonly label: number;
}

/** The first 20 queries of our own pairs, with the wrong labels that are among them. */
function pairs(): Pair[] {
  const lines = readFileSync(new URL("../fixtures/pairs.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.slice(0, 120).map((line): Pair => JSON.parse(line));
}

async function post<T>(url: string, path: string, body: unknown): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  });
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
}

async function largestLosses(url: string, limit: number): Promise<string[]> {
  const response = await fetch(`${url}/v1/datasets/shop-search/samples?sort=-loss&limit=${limit}`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  const { samples } = (await response.json()) as { samples: { id: string }[] };
  return samples.map(({ id }) => id);
}

/** Scores the pairs into a dataset with three checkpoints, and weighs it. The first two are a younger model's: closer to 0. */
async function fill(url: string): Promise<void> {
  const samples = pairs().map((pair, at) => ({ ...pair, source: at % 3 === 0 ? "click log" : "editors" }));
  const signals = ["loss", "probability", "confidence", "grad_norm_last", "grad_norm", "sensitivity"];
  const { results } = await post<{ results: { logit: number }[] }>(url, "/v1/score", {
    signals,
    weighting: null,
    samples,
  });
  for (const [step, scale] of [
    [1, 0.2],
    [2, 0.6],
  ] as const)
    await post(url, "/v1/datasets/shop-search/observations", {
      checkpoint: { name: `epoch-${step}`, step },
      loss: "bce",
      mode: "eval",
      samples: samples.map((sample, at) => ({
        id: sample.id,
        label: sample.label,
        logits: [(results[at]?.logit ?? 0) * scale + ((at * 7) % 5) / 5 - 0.4],
      })),
    });
  await post(url, "/v1/score", {
    dataset: "shop-search",
    checkpoint: { name: "epoch-3", step: 3 },
    signals,
    weighting: null,
    samples,
  });
  for (const signal of ["loss", "grad_norm_last"])
    await post(url, "/v1/datasets/shop-search/weights", {
      weighting: { signal, scheme: "proportional", smoothing: 0.1 },
    });
}

const SCREENS = [
  { name: "now", hash: "#/now", there: "Latency by stage" },
  { name: "models", hash: "#/models", there: "Longest text" },
  { name: "datasets", hash: "#/datasets", there: "shop-search" },
  { name: "dataset", hash: "#/datasets/shop-search?sort=-loss&label=0", there: "Weights by snapshot" },
  { name: "sample", hash: "#/datasets/shop-search/samples/q04%3Ap3", there: "Why it weighs what it weighs" },
  { name: "try", hash: "#/try", there: "Without a label" },
] as const;

/** The pictures of these screens that docs/dashboard.md shows, beside the narrow ones and that of a pair. */
const IN_DOCS = [
  "now-light",
  "models-light",
  "datasets-light",
  "dataset-light",
  "sample-light",
  "now-dark",
  "sample-dark",
];

/** Waits until a screen shows what it is to show, and nothing on it loads. */
async function settled(page: Page, there: string): Promise<void> {
  await page.getByText(there).first().waitFor();
  await expect.poll(() => page.locator(".loading").count()).toBe(0);
}

async function show(page: Page, { hash, there }: (typeof SCREENS)[number]): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await settled(page, there);
}

async function take(page: Page, name: string, fullPage = false): Promise<void> {
  if (PICTURES !== null) await page.screenshot({ path: `${PICTURES}dashboard-${name}.png`, fullPage });
}

describe.skipIf(!hasChromium())("the dashboard in Chromium", () => {
  it("is walked by keyboard, with a key that the tab forgets; is accessible in both themes and narrow", async () => {
    const { url } = await startService({ env: { ASSAY_API_KEYS: KEY } });
    await fill(url);
    const browser = await openBrowser();
    const { page, wrongs } = await openPage(browser, url, { viewport: { width: 1200, height: 800 } });

    await page.goto(`${url}/`);
    await page.getByText("This service asks for a key").waitFor();
    await expectAccessible(page);
    await tabTo(page, "API key");
    await page.keyboard.type("no-such-key-at-all");
    await page.keyboard.press("Enter");
    await page.getByText("The bearer key is not one of ASSAY_API_KEYS").waitFor();
    await page.getByLabel("API key").fill("");
    await page.getByLabel("API key").focus();
    await page.keyboard.type(KEY);
    await page.keyboard.press("Enter");
    await settled(page, "Latency by stage");

    await page.getByRole("link", { name: "Assay", exact: true }).focus();
    await tabTo(page, "Datasets");
    await page.keyboard.press("Enter");
    await settled(page, "Effective share");
    await tabTo(page, "shop-search");
    await page.keyboard.press("Enter");
    await settled(page, "Weights by snapshot");
    const listed = page.getByRole("rowheader", { name: /^q\d\d:p\d$/ });
    expect(await listed.allInnerTexts()).toEqual(await largestLosses(url, 20));
    // The wrong label of q04:p3 has one of the largest losses of the label 1.
    await tabTo(page, "Label");
    await page.keyboard.type("1");
    await page.keyboard.press("Enter");
    await page.waitForURL(/label=1/);
    await tabTo(page, "q04:p3");
    await page.keyboard.press("Enter");
    await settled(page, "Why it weighs what it weighs");
    await expect.poll(() => page.title()).toBe("q04:p3 of shop-search · Assay");
    const words = await page.locator("main").innerText();
    expect(words).toMatch(/It weighs [\d.]+ times the mean of the 120 samples in snapshot 2/);
    expect(words).toMatch(/\|r\| = 0\.\d+, how wrong the model is, times ‖∇z‖ = /);
    expect(await page.getByRole("rowheader", { name: /^epoch-/ }).allInnerTexts()).toEqual([
      "epoch-1",
      "epoch-2",
      "epoch-3",
    ]);

    await page.getByRole("link", { name: "Assay", exact: true }).focus();
    await tabTo(page, "Try it");
    await page.keyboard.press("Enter");
    await settled(page, "Without a label");
    await tabTo(page, "Query");
    await page.keyboard.type("usb c cable");
    await tabTo(page, "Document");
    await page.keyboard.type("USB-C charging cable, 2 m");
    await tabTo(page, "Label");
    await page.keyboard.type("1");
    await page.keyboard.press("Enter");
    await page.getByText("Gradient norm").waitFor();
    expect(await page.getByRole("region", { name: "Answer" }).innerText()).toMatch(/Probability\s+0\.981/);
    await expectAccessible(page);
    await take(page, "try-light");

    for (const theme of ["light", "dark"] as const) {
      for (const screen of SCREENS) {
        await show(page, screen);
        await expectAccessible(page);
        if (!IN_DOCS.includes(`${screen.name}-${theme}`)) continue;
        if (screen.name === "now") await rescore(page, url);
        await take(page, `${screen.name}-${theme}`, screen.name === "dataset");
      }
      if (theme === "light") await page.getByRole("button", { name: "Dark theme" }).click();
    }

    await page.setViewportSize({ width: 360, height: 740 });
    for (const screen of SCREENS) {
      await show(page, screen);
      await expectAccessible(page);
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
      expect({ screen: screen.name, wide }).toEqual({ screen: screen.name, wide: 360 });
      if (screen.name === "dataset" || screen.name === "sample") await take(page, `${screen.name}-narrow`);
    }

    expect(await page.evaluate<string[]>("Object.values(localStorage)")).not.toContain(KEY);
    await page.getByRole("button", { name: "Forget key" }).click();
    expect(await page.evaluate<string[]>("Object.values(sessionStorage)")).toEqual([]);
    expect(wrongs).toEqual([]);
  });

  it("says what is empty, slow or gone", async () => {
    const { url, stop } = await startService({ until: "listening" });
    const { page, wrongs } = await openPage(await openBrowser(), url, { colorScheme: "dark" });
    await page.route("**/v1/datasets?*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await route.continue();
    });
    await page.goto(`${url}/#/datasets`);
    await page.getByText("takes longer than usual").waitFor();
    await expectAccessible(page);
    await page.getByText("No dataset yet").waitFor();
    expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
    await expectAccessible(page);

    await page.goto(`${url}/#/datasets/nothing`);
    await page.getByRole("button", { name: "Try again" }).waitFor();
    await expectAccessible(page);
    await page.goto(`${url}/#/nowhere`);
    await page.getByText("No such screen").first().waitFor();

    await page.goto(`${url}/#/now`);
    await page.getByText("Engine processes").first().waitFor();
    await stop();
    await page
      .getByText("The service does not answer. Is it running? What is shown is from before.")
      .first()
      .waitFor();
    await expectAccessible(page);
    expect(wrongs).toEqual([]);
  });
});

/** Gives the screen some traffic to show, if it is to be taken. */
async function rescore(page: Page, url: string): Promise<void> {
  if (PICTURES === null) return;
  const samples = pairs();
  for (let round = 0; round < 16; round++) {
    await post(url, "/v1/score", { samples: samples.slice(0, 20 + ((round * 37) % 100)) });
    await page.waitForTimeout(500);
  }
}
