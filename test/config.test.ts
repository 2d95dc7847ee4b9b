import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkBind, readConfig } from "../src/config.js";
import { configPage } from "../src/config-page.js";
import { shareCores } from "../src/ranker/cores.js";

const key = "a-key-of-16-chars";

describe("the configuration", () => {
  it("serves the shipped model on loopback and the embedded store where nothing is set", () => {
    expect(readConfig({})).toMatchObject({
      host: "127.0.0.1",
      port: 8080,
      defaultModel: "default",
      redisUrl: undefined,
      apiKeys: [],
      precision: "fp32",
    });
  });

  it("lets a flag win over the environment", () => {
    expect(readConfig({ ASSAY_PORT: "1" }, { port: "2" }).port).toBe(2);
  });

  it.each([
    ["ASSAY_PORT", "tcp://10.0.0.1:80"],
    ["ASSAY_PORT", "70000"],
    ["ASSAY_PRECISION", "fp64"],
    ["ASSAY_REDIS_URL", "http://127.0.0.1"],
    ["ASSAY_DIGEST_KEY", "abc"],
    ["ASSAY_API_KEYS", "short"],
    ["ASSAY_COLOUR", "blue"],
    ["ASSAY_DEVICE", "gpu"],
    ["ASSAY_DEVICE", "cuda:0,cpu"],
    ["ASSAY_SESSIONS", "0"],
  ])("stops at %s=%s and names it", (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(name);
  });

  it.each([
    ["auto", [{ device: { kind: "cuda", index: 0 }, fallback: true }]],
    ["cpu", [{ device: { kind: "cpu" }, fallback: false }]],
    ["cuda", [{ device: { kind: "cuda", index: 0 }, fallback: false }]],
    ["cuda:2", [{ device: { kind: "cuda", index: 2 }, fallback: false }]],
    [
      "cuda:1,cuda:0,cuda:1",
      [
        { device: { kind: "cuda", index: 1 }, fallback: false },
        { device: { kind: "cuda", index: 0 }, fallback: false },
      ],
    ],
  ])("reads ASSAY_DEVICE=%s", (text, devices) => {
    expect(readConfig({ ASSAY_DEVICE: text }).device).toEqual(devices);
  });

  it.each([
    { cores: 1, given: [undefined, undefined], sessions: 1, threads: 1 },
    { cores: 2, given: [undefined, undefined], sessions: 2, threads: 1 },
    { cores: 6, given: [undefined, undefined], sessions: 3, threads: 2 },
    { cores: 16, given: [undefined, undefined], sessions: 4, threads: 4 },
    { cores: 2, given: [1, undefined], sessions: 1, threads: 2 },
    { cores: 2, given: [8, undefined], sessions: 8, threads: 1 },
    { cores: 16, given: [undefined, 8], sessions: 2, threads: 8 },
    { cores: 2, given: [undefined, 8], sessions: 1, threads: 8 },
    { cores: 2, given: [3, 5], sessions: 3, threads: 5 },
  ])("shares $cores cores, of sessions and threads given $given, as $sessions × $threads", (row) => {
    const { cores, given, sessions, threads } = row;
    expect(shareCores(cores, given[0], given[1])).toEqual({ sessions, threads });
  });

  it("names every fault at once", () => {
    expect(() => readConfig({ ASSAY_PORT: "x", ASSAY_COLOUR: "blue" })).toThrow(
      /ASSAY_COLOUR[\s\S]*ASSAY_PORT/,
    );
  });

  it.each(["0.0.0.0", "::", "192.168.1.5", "example.org"])("refuses to listen on %s without keys", (host) => {
    expect(() => checkBind(readConfig({ ASSAY_HOST: host }))).toThrow(/ASSAY_API_KEYS/);
    expect(() => checkBind(readConfig({ ASSAY_HOST: host, ASSAY_API_KEYS: key }))).not.toThrow();
  });

  it.each(["127.0.0.1", "127.8.8.8", "localhost", "::1"])("listens on %s without keys", (host) => {
    expect(() => checkBind(readConfig({ ASSAY_HOST: host }))).not.toThrow();
  });

  it("stands in docs/configuration.md as it is", () => {
    expect(readFileSync(new URL("../docs/configuration.md", import.meta.url), "utf8")).toBe(configPage());
  });
});
