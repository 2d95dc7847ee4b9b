import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { expectedOf, exportFolder, withJson } from "../support/exports.js";
import { uploadOf } from "../support/model.js";
import { startService } from "../support/service.js";

const run = promisify(execFile);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** Runs `assay inspect` with a models folder of its own. */
async function inspect(...options: string[]) {
  const models = join(temporaryFolder(), "models");
  return run(process.execPath, [CLI, "inspect", ...options], {
    env: { PATH: process.env.PATH, ASSAY_MODELS_DIR: models },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr, models }),
    (error) => ({
      code: error.code as number,
      stdout: error.stdout as string,
      stderr: error.stderr as string,
      models,
    }),
  );
}

function post(url: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}

describe("assay inspect", () => {
  it("makes a model folder that the service serves, and says what it lacks", async () => {
    const { code, stdout, stderr, models } = await inspect(exportFolder("bert"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^bert: bert, binary, 1 logit\(s\), 32 tokens, from model\.onnx$/m);
    expect(stdout).toMatch(/^last layer: Gemm \/classifier\/Gemm, 8 features to 1 logit\(s\)$/m);
    expect(stdout).toMatch(/^served: loss, .*grad_norm_last/m);
    expect(stdout).toMatch(/^not served: grad_norm, .*influence.* attributions, .*embeddings/m);
    expect(stdout).toContain(`written: ${join(models, "bert")}`);

    const service = await startService({ env: { ASSAY_MODELS_DIR: models, ASSAY_DEFAULT_MODEL: "bert" } });
    const texts = expectedOf("bert").filter(({ second }) => second !== null);
    const samples = texts.map(({ first, second }) => ({ query: first, document: second, label: 1 }));
    const scored = await post(`${service.url}/v1/score`, { samples });
    const { results } = (await scored.json()) as {
      results: { logit: number; loss: number; grad_norm_last: number }[];
    };
    texts.forEach(({ logits: [z = 0], features }, t) => {
      const residual = 1 / (1 + Math.exp(z)); // 1 - p
      const squares = features.reduce((sum, value) => sum + value ** 2, 1);
      expect(results[t]?.logit).toBeCloseTo(z, 5);
      expect(results[t]?.loss).toBeCloseTo(Math.log1p(Math.exp(-z)), 5);
      expect(results[t]?.grad_norm_last).toBeCloseTo(residual * Math.sqrt(squares), 5);
    });

    const refused = await post(`${service.url}/v1/score`, { samples, signals: ["grad_norm"] });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      code: "unsuitable_signal",
      detail: expect.stringMatching(/imported from an ONNX file.*no backward pass/),
    });

    const part = { precision: {}, provenance: {}, metrics: {} };
    const self_test = { tolerance: 0.001, samples: [{ text: "usb", logits: [0] }] };
    const weights = { sha256: "0".repeat(64), bytes: 0 };
    const header = { format: 1, weights, parameters: [], self_test, ...part };
    const put = await fetch(`${service.url}/v1/models/bert/weights`, {
      method: "PUT",
      headers: { "content-type": "application/vnd.assay.weights" },
      body: uploadOf({ header, weights: Buffer.alloc(0) }),
    });
    expect(put.status).toBe(422);
    expect(await put.json()).toMatchObject({
      code: "weights_invalid",
      detail: expect.stringMatching(/bert was imported from an ONNX file.*reload/),
    });
  });

  it("writes where it is told, under the name that it is told", async () => {
    const output = join(temporaryFolder(), "folder");
    const { code, stdout } = await inspect(
      exportFolder("roberta"),
      "-o",
      output,
      "--name",
      "mine",
      "--max-tokens",
      "24",
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^mine: roberta, classification, 3 logit\(s\), 24 tokens/);
    expect(readdirSync(output)).toContain("model.json");
  });

  it("tries everything and writes nothing in a dry run", async () => {
    const { code, stdout, models } = await inspect(exportFolder("distilbert"), "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/distilbert, regression.*\n[\s\S]*dry run: nothing was written/);
    expect(existsSync(models)).toBe(false);
  });

  it.each([
    [
      "an export that it cannot serve",
      () => [withJson("electra", "config.json", { is_decoder: true })],
      /^assay: \S+ cannot be imported: config\.json sets is_decoder/,
    ],
    [
      "a folder that is not there",
      () => ["/nowhere/at/all"],
      /^assay: \/nowhere\/at\/all cannot be imported: there is no such folder/,
    ],
    [
      "a number of tokens that is none",
      () => [exportFolder("bert"), "--max-tokens", "many"],
      /whole number of at least 8/,
    ],
  ])("ends with the reason and exit code 1 at %s", async (_, options, message) => {
    const { code, stderr } = await inspect(...options());
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
  });
});
