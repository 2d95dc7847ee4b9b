import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { copiesOfShipped, describeBytes, editManifest } from "../support/model.js";
import { type Json, post } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

const FIXTURES = new URL("../fixtures/", import.meta.url);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
/** What 1a1e855 answered of the dataset `search` that it had scored with the shipped model. */
const SCORED: { model: { version: string }; lookup: { results: Json[] } } = JSON.parse(
  readFileSync(new URL("store-1a1e855/scored.json", FIXTURES), "utf8"),
);
const PAIRS: Json[] = readFileSync(new URL("pairs.jsonl", FIXTURES), "utf8")
  .split("\n")
  .slice(0, SCORED.lookup.results.length)
  .map((line) => JSON.parse(line));

function storeOf1a1e855(): string {
  const directory = temporaryFolder();
  const archive = fileURLToPath(new URL("store-1a1e855/scored.tar.gz", FIXTURES));
  execFileSync("tar", ["-xzf", archive, "-C", directory]);
  return directory;
}

/** Leaves the folder as `python -m assay.export graphs` does: other bytes of the same function, which keeps its name. */
function drawAgain(folder: string): void {
  const graph = join(folder, "forward.onnx");
  const docString = Buffer.from("drawn again");
  // A field that comes later in a protobuf message replaces an earlier one: ModelProto.doc_string, field 6, of a length.
  const drawn = Buffer.concat([
    readFileSync(graph),
    Buffer.from([(6 << 3) | 2, docString.length]),
    docString,
  ]);
  writeFileSync(`${graph}.new`, drawn);
  renameSync(`${graph}.new`, graph);
  editManifest(folder, (manifest) => ({
    ...manifest,
    function: manifest.function ?? manifest.files["forward.onnx"]?.sha256,
    files: { ...manifest.files, "forward.onnx": describeBytes(drawn) },
  }));
}

async function reload({ url }: Service): Promise<Json> {
  const response = await fetch(`${url}/v1/models/default/reload`, { method: "POST" });
  expect(response.status).toBe(200);
  return response.json();
}

/** What a look-up answers of a sample, as far as 1a1e855 answered it too. */
function withoutNewFields({ observed: _observed, ...rest }: Json): Json {
  return rest;
}

describe("a dataset that 1a1e855 scored", () => {
  it("stays current when the model's graphs are drawn again, whose outputs are then computed anew", async () => {
    const models = copiesOfShipped("default");
    const folder = join(models, "default");
    const dataDir = storeOf1a1e855();
    execFileSync(process.execPath, [CLI, "upgrade", "--data-dir", dataDir]);
    const service = await startService({ dataDir, env: { ASSAY_MODELS_DIR: models } });
    const ids = PAIRS.map(({ id }) => id);
    const lookUp = async (): Promise<Json[]> =>
      (await post(service, "/v1/datasets/search/lookup", { ids })).body.results.map(withoutNewFields);
    const score = async (): Promise<Json> => (await post(service, "/v1/score", { samples: PAIRS })).body;
    expect(await lookUp()).toEqual(SCORED.lookup.results);
    const before = await score();
    expect((await score()).results[0].cached).toBe(true);

    drawAgain(folder);
    expect((await reload(service)).version).toBe(SCORED.model.version);
    expect(await lookUp()).toEqual(SCORED.lookup.results);
    const weighting = { signal: "loss", scheme: "rank" };
    const weighed = await post(service, "/v1/datasets/search/weights", { weighting });
    expect(JSON.stringify(weighed.body.diagnostics.advice)).not.toContain("no longer served");
    const after = await score();
    expect(after.results.map(({ cached }: Json) => cached)).toEqual(ids.map(() => false));
    expect(after.results.map(({ logit }: Json) => logit)).toEqual(
      before.results.map(({ logit }: Json) => expect.closeTo(logit, 5)),
    );

    editManifest(folder, (manifest) => ({ ...manifest, function: undefined }));
    expect((await reload(service)).version).not.toBe(SCORED.model.version);
    expect((await lookUp()).map(({ stale }) => stale)).toEqual(ids.map(() => true));
  });
});
