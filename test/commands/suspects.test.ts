import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { sample } from "../store/conformance/records.js";
import { temporaryFolder, temporaryStore, testApp } from "../support/app.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const SAMPLES = 900;

/** A service with dataset `d`, whose samples 0 to 29 are labelled 0 against the model's word, and a file of their texts. */
async function service() {
  const store = await temporaryStore();
  const entries = Array.from({ length: SAMPLES }, (_, index) => {
    const truth = index % 2 === 0 || index < 30 ? 1 : 0;
    const label = index < 30 ? 0 : truth;
    const probability = Math.abs(1 - truth - 0.9 - index / (20 * SAMPLES));
    return { id: `s${index}`, record: sample({ label, signals: new Map([["probability", probability]]) }) };
  });
  await store.writeSamples("d", entries);
  const app = await testApp({ store });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const folder = temporaryFolder();
  const lines = entries.map(({ id, record }) => ({
    id,
    query: `=query ${id}`,
    document: "a",
    label: record.label,
  }));
  const write = (name: string, rows: readonly object[]): void =>
    writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  write("pairs.jsonl", lines);
  const assay = (args: string) =>
    promisify(execFile)(process.execPath, [CLI, "suspects", ...args.split(" "), "--url", url], {
      cwd: folder,
      env: { PATH: process.env.PATH },
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
  return { assay, folder, lines, write };
}

it("writes the suspects with the texts of the file, and tells standard error how many labels are wrong", async () => {
  const { assay } = await service();
  const { code, stdout, stderr } = await assay("pairs.jsonl --dataset d --top 3");
  expect(code, stderr).toBe(0);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line: string) => JSON.parse(line));
  expect(rows).toHaveLength(3);
  const [first] = rows;
  expect(Number(first.id.slice(1))).toBeLessThan(30);
  expect(first).toEqual({
    id: first.id,
    label: 0,
    suggested_label: 1,
    suggested_probability: first.noise,
    noise: expect.any(Number),
    confidence: expect.any(Number),
    reason: expect.stringMatching(/^Labelled 0, but the model gives 0 a probability of 0\./),
    source: null,
    line: Number(first.id.slice(1)) + 1,
    query: `=query ${first.id}`,
    document: "a",
  });
  expect(stderr).toMatch(/About \d+ of 900 labels are wrong \(95% interval: \d+ to \d+\)\./);
  expect(stderr).toMatch(/post the logits of models that have not seen the sample/);
});

it("writes CSV that a spreadsheet does not calculate, by the output's name", async () => {
  const { assay, folder } = await service();
  expect(await assay("pairs.jsonl --dataset d --top 1 -o out.csv")).toMatchObject({ code: 0, stdout: "" });
  const [header, row] = readFileSync(join(folder, "out.csv"), "utf8").split("\n");
  expect(header).toBe(
    "id,label,suggested_label,suggested_probability,noise,confidence,reason,source,line,query,document,text",
  );
  expect(row).toContain(",'=query s");
});

it("says which share of the planted labels a threshold finds", async () => {
  const { assay, write, folder } = await service();
  write("planted.jsonl", [{ id: "s0" }, { id: "s1" }]);
  const { stderr } = await assay("pairs.jsonl --dataset d --planted planted.jsonl --recall 1");
  expect(stderr).toMatch(
    /A noise of at least 0\.\d+ flags \d+ samples, and of the 2 planted ones 100% of those labelled 0\./,
  );
  expect(await assay("pairs.jsonl --dataset d --recall 0.5")).toMatchObject({
    code: 1,
    stderr: "assay: --recall needs --planted: add it to say which labels were flipped\n",
  });
  writeFileSync(join(folder, "not.csv"), "name\ns0\n");
  expect((await assay("pairs.jsonl --dataset d --planted not.csv")).stderr).toMatch(/no column id/);
});

it("counts suspects that the file lacks, and labels that it has changed", async () => {
  const { assay, lines, write } = await service();
  write(
    "part.jsonl",
    lines.flatMap((line, index) => (index === 0 ? [] : [index === 1 ? { ...line, label: 1 } : line])),
  );
  const { code, stderr } = await assay("part.jsonl --dataset d --top 30");
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/1 of 30 suspects are not in the file, and have no texts\./);
  expect(stderr).toMatch(/1 suspects have another label in the file than in the dataset/);
});

it("keeps the file when it is named as the output, and says what is wrong with one that it cannot read", async () => {
  const { assay, folder } = await service();
  expect(await assay("pairs.jsonl --dataset d -o pairs.jsonl")).toMatchObject({
    code: 1,
    stderr: "assay: pairs.jsonl is also the input: name another output\n",
  });
  writeFileSync(join(folder, "bad.jsonl"), '{"id":"s0"}\n');
  expect((await assay("bad.jsonl --dataset d")).stderr).toMatch(/^assay: bad\.jsonl, line 1: /);
  expect((await assay("pairs.jsonl --dataset e")).stderr).toMatch(/"?e"?/);
});
