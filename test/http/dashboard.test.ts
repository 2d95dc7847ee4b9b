import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { testApp } from "../support/app.js";

/** The suite builds it before it starts. */
const dashboardDir = fileURLToPath(new URL("../../dist/dashboard/", import.meta.url));
const apiKeys = ["a-key-of-the-dashboard"];

async function pageAndAssets(): Promise<{ html: string; assets: string[] }> {
  const app = await testApp({ dashboardDir });
  const html = (await app.inject("/")).body;
  return { html, assets: [...html.matchAll(/(?:href|src)="(.*?)"/g)].map(([, path]) => path as string) };
}

describe("the dashboard", () => {
  it("is served at / without a key, and what it reads still asks for one", async () => {
    const app = await testApp({ dashboardDir, apiKeys });
    const page = await app.inject("/");
    expect(page.statusCode).toBe(200);
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    const { assets } = await pageAndAssets();
    expect(assets.map((path) => path.replace(/-[A-Z0-9]{8}\./, "-HASH."))).toEqual([
      "assets/icon-HASH.svg",
      "assets/main-HASH.css",
      "assets/main-HASH.js",
    ]);
    for (const path of assets) expect((await app.inject(`/${path}`)).statusCode, path).toBe(200);
    for (const path of ["/v1/models", "/v1/datasets", "/metrics", "//v1/models"])
      expect((await app.inject(path)).statusCode, path).toBe(401);
  });

  it("may load nothing but its own files, and is not shown in a frame", async () => {
    const app = await testApp({ dashboardDir });
    const { headers } = await app.inject("/");
    expect(headers["content-security-policy"]).toBe(
      "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({ "x-frame-options": "DENY", "x-content-type-options": "nosniff" });
  });

  it("is asked for again after an update, while its assets are kept", async () => {
    const app = await testApp({ dashboardDir });
    const { headers } = await app.inject("/");
    expect(headers["cache-control"]).toBe("no-cache");
    const again = await app.inject({ url: "/", headers: { "if-none-match": String(headers.etag) } });
    expect(again.statusCode).toBe(304);
    const [asset] = (await pageAndAssets()).assets;
    expect((await app.inject(`/${asset}`)).headers["cache-control"]).toMatch(/immutable/);
  });

  it("names no other host, and weighs at most 100 KB in gzip at its first load", async () => {
    const { html, assets } = await pageAndAssets();
    const files = [html, ...assets.map((path) => readFileSync(join(dashboardDir, path), "utf8"))];
    expect(files.join("").match(/(?<!xmlns=")https?:\/\/(?!www\.w3\.org\/)[\w.-]+/g)).toBeNull();
    const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(bytes).toBeLessThan(100_000);
    expect(readdirSync(join(dashboardDir, "assets"))).toHaveLength(assets.length);
  });

  it("leaves unknown paths and methods to the API's problems", async () => {
    const app = await testApp({ dashboardDir });
    expect((await app.inject("/nowhere")).json()).toMatchObject({ code: "route_not_found" });
    expect((await app.inject({ method: "POST", url: "/" })).json()).toMatchObject({
      code: "method_not_allowed",
    });
    expect((await (await testApp()).inject("/")).json()).toMatchObject({ code: "route_not_found" });
  });
});
