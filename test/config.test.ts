import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkBind, configPage, readConfig } from "../src/config.js";

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
  ])("stops at %s=%s and names it", (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(name);
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
