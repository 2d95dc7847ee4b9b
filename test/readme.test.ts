import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startService } from "./support/service.js";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** An answer with its numbers rounded: processors differ in the last digits. */
function rounded(value: unknown): unknown {
  if (typeof value === "number") return Number(value.toPrecision(2));
  if (Array.isArray(value)) return value.map(rounded);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]));
  }
  return value;
}

describe("the README", () => {
  it("shows the answer that its request gets from the shipped model", async () => {
    const [, request, answer] = /<!-- example:[\s\S]*?-d '([\s\S]*?)'\n```\n\n```json\n([\s\S]*?)```/.exec(
      README,
    ) as RegExpExecArray;
    const { url } = await startService();
    const response = await fetch(`${url}/v1/score`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: request as string,
    });
    expect(response.status).toBe(200);
    expect(rounded(await response.json())).toEqual(rounded(JSON.parse(answer as string)));
  });
});
