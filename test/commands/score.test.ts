import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { smallModels } from "../support/exports.js";
import { SHIPPED } from "../support/model.js";

const run = promisify(execFile);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

const samples = [
  { id: "a", query: "usb c cable", document: 'USB-C "charging" cable, 2 m', label: 1 },
  { id: "b", query: "usb c cable", document: "Garden chair", label: 0 },
  { id: "c", query: "usb c cable", document: "", label: 0 },
];
const jsonLines = samples.map((sample) => JSON.stringify(sample)).join("\n");
const csv = `\uFEFFid,query,document,label\na,usb c cable,"USB-C ""charging"" cable, 2 m",1\nb,usb c cable,Garden chair,0\nc,usb c cable,,0\n`;

/** Runs `assay score` on a file of that name and content, with a store of its own. */
async function score(name: string, content: string, ...options: string[]) {
  return scoreIn(temporaryFolder(), name, content, ...options);
}

const small = smallModels();

function environmentIn(folder: string, modelsDir = small.directory): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    ASSAY_DATA_DIR: join(folder, "data"),
    ASSAY_LOG_LEVEL: "error",
    ASSAY_MODELS_DIR: modelsDir,
  };
}

/** The same, with the store that earlier runs in the folder left there. */
async function scoreIn(folder: string, name: string, content: string, ...options: string[]) {
  const file = join(folder, name);
  writeFileSync(file, content);
  const needsGradients = options.some((option) => /grad_norm\b|influence/.test(option));
  return run(process.execPath, [CLI, "score", file, ...options], {
    env: environmentIn(folder, needsGradients ? dirname(SHIPPED) : small.directory),
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({
      code: error.code as number,
      stdout: error.stdout as string,
      stderr: error.stderr as string,
    }),
  );
}

const rowsOf = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("assay score", () => {
  it("writes a JSON line for each sample of a JSON-lines file, in order", async () => {
    const { code, stdout } = await score("pairs.jsonl", jsonLines);
    expect(code).toBe(0);
    const rows = rowsOf(stdout);
    expect(rows.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(rows[0]).toMatchObject({ weight: null, cached: false, truncated: false });
    expect(rows[0].loss).toBeCloseTo(-Math.log(rows[0].probability), 6);
  });

  it("scores a CSV file to the same figures", async () => {
    const [fromJson, fromCsv] = [await score("pairs.jsonl", jsonLines), await score("pairs.csv", csv)];
    expect(rowsOf(fromCsv.stdout)).toEqual(rowsOf(fromJson.stdout));
  });

  it("writes CSV to a file", async () => {
    const output = join(temporaryFolder(), "scores.csv");
    const { code, stdout } = await score(
      "pairs.csv",
      csv,
      "--format",
      "csv",
      "--output",
      output,
      "--signals",
      "el2n,margin",
      "--batch",
      "2",
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    const rows = parse(readFileSync(output, "utf8"), { columns: true }) as Record<string, string>[];
    expect(Object.keys(rows[0] ?? {})).toEqual([
      "id",
      "logit",
      "probability",
      "el2n",
      "margin",
      "weight",
      "cached",
      "truncated",
    ]);
    expect(rows).toHaveLength(3);
  });

  it("weighs the whole file, over its batches", async () => {
    const { stdout } = await score(
      "pairs.jsonl",
      jsonLines,
      "--scheme",
      "rank",
      "--weigh-by",
      "loss",
      "--batch",
      "1",
    );
    const weights = rowsOf(stdout).map(({ weight }) => weight);
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect([...weights].sort()).toEqual([1 / 6, 2 / 6, 3 / 6]);
  });

  it("computes the signal that it weighs by, beside those of a file without --signals", async () => {
    const { stdout } = await score("pairs.jsonl", jsonLines, "--weigh-by", "grad_norm", "--batch", "2");
    const rows = rowsOf(stdout);
    const total = rows.reduce((sum, row) => sum + row.grad_norm, 0);
    for (const row of rows) {
      expect(row.loss).toBeCloseTo(-Math.log(row.id === "a" ? row.probability : 1 - row.probability), 6);
      expect(row.weight).toBeCloseTo(row.grad_norm / total, 12);
    }
  });

  it("gives draw probabilities of the whole file, with their multipliers", async () => {
    const options = ["--role", "probability", "--smoothing", "0.5", "--batch", "1", "-f", "csv"];
    const { stdout } = await score("pairs.jsonl", jsonLines, ...options);
    const rows = parse(stdout, { columns: true, cast: true }) as Record<string, number>[];
    const norms = rows.map((row) => row.grad_norm_last as number);
    const total = norms.reduce((a, b) => a + b);
    const shares = norms.map((norm) => 0.5 * (norm / total) + 0.5 / 3);
    expect(rows.map((row) => row.weight)).toEqual(shares.map((p) => expect.closeTo(p, 12)));
    expect(rows.map((row) => row.multiplier)).toEqual(shares.map((p) => expect.closeTo(1 / (3 * p), 12)));
  });

  it("refuses a file whose last sample cannot be weighed before it scores the first", async () => {
    const folder = temporaryFolder();
    const content = `${jsonLines}\n{"text":"a chair"}`;
    const refused = await scoreIn(folder, "pairs.jsonl", content, "--weigh-by", "loss", "--batch", "1");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(
      /pairs\.jsonl, line 4: label loss needs a label; available without a label: /,
    );
    const { stdout } = await scoreIn(folder, "pairs.jsonl", content, "--weigh-by", "entropy");
    expect(rowsOf(stdout).map(({ cached }) => cached)).toEqual([false, false, false, false]);
  });

  it("keeps the samples of a group together under the loss of a group, also where a batch is smaller", async () => {
    const graded =
      "query,document,label,group,reference_loss,extras.clicks\n" +
      "usb c cable,USB-C cable,2,usb,0.5,3\nusb c cable,Garden chair,0,usb,0.5,\nchair,Garden chair,1,chair,0,1\n";
    const signals = ["--signals", "loss,grad_norm,sensitivity,rho", "--loss", "pairwise"];
    const { stdout } = await score("pairs.csv", graded, ...signals, "--batch", "1");
    const [better, worse, alone] = rowsOf(stdout);
    const loss = Math.log1p(Math.exp(worse.logit - better.logit));
    expect([better.loss, worse.loss, alone.loss]).toEqual([
      expect.closeTo(loss, 5),
      expect.closeTo(loss, 5),
      0,
    ]);
    expect(better.rho).toBeCloseTo(better.loss - 0.5, 9);
    expect(better.grad_norm / better.sensitivity).toBeCloseTo(worse.grad_norm / worse.sensitivity, 5);
    expect(alone.grad_norm).toBe(0);
    expect(alone).not.toHaveProperty("probability");
  });

  it.each([
    ["broken JSON", "pairs.jsonl", '{"text":"a"}\n{"text":', /line 2/],
    [
      "an unknown field",
      "pairs.jsonl",
      '{"text":"a","rating":3}',
      /pairs\.jsonl, line 1: the field "rating" is not known: .* --map FIELD=rating reads it .* --ignore-unknown leaves it out$/m,
    ],
    [
      "a label that is no number",
      "pairs.csv",
      "text,label\na,good\n",
      /line 2, column "label": label must be a number/,
    ],
    [
      "a header that is a sample",
      "pairs.csv",
      "q1,usb,cable,1\nq2,usb,chair,0\n",
      /line 1, column 1: the header's "q1" is not known: the known fields are id, query/,
    ],
    [
      "an id that occurs twice",
      "pairs.jsonl",
      '{"text":"a","id":"x"}\n\n{"text":"b","id":"x"}',
      /line 3: id is the id of .*pairs\.jsonl, line 1 too/,
    ],
    ["a file without samples", "pairs.csv", "id,text\n", /pairs\.csv has no samples/],
    [
      "a signal that lacks its direction",
      "pairs.jsonl",
      jsonLines,
      /^assay: --weigh-by influence is measured along a direction/m,
      ["--scheme", "rank", "--weigh-by", "influence"],
    ],
    ["an unknown ending", "pairs.xlsx", "", /must end in/],
    ["a label that does not suit the loss", "pairs.jsonl", '{"text":"a","label":3}', /rescale a rating/],
    [
      "a group that comes again",
      "pairs.csv",
      "text,label,group\na,1,q\nb,0,r\nc,1,q\n",
      /line 4\/group ended before/,
      ["--loss", "listwise"],
    ],
  ])(
    "stops at %s with the place and exit code 1",
    async (_about, name, content, message, options: string[] = []) => {
      const { code, stderr } = await score(name, content, ...options);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain("    at ");
    },
  );

  it("says that the output cannot be written", async () => {
    const { code, stderr } = await score("pairs.jsonl", jsonLines, "-o", "/nowhere/at/all.csv");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^assay: \/nowhere\/at\/all\.csv cannot be written: ENOENT/);
  });

  it("does not write over the file that it reads", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "pairs.jsonl");
    const { code, stderr } = await scoreIn(folder, "pairs.jsonl", jsonLines, "-o", file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/pairs\.jsonl is also the input: name another output/);
    expect(readFileSync(file, "utf8")).toBe(jsonLines);
  });

  it("reads standard input, and answers the top of what it sorts with its texts", async () => {
    const folder = temporaryFolder();
    const child = execFile(
      process.execPath,
      [CLI, "score", "-", "--sort=-loss", "--top", "50%", "--with", "line,label,document", "-f", "csv"],
      { env: environmentIn(folder) },
    );
    child.stdin?.end(jsonLines);
    const stdout = await text(child.stdout as Readable);
    const rows = parse(stdout, { columns: true }) as Record<string, string>[];
    expect(Object.keys(rows[0] ?? {}).slice(0, 5)).toEqual(["id", "line", "label", "document", "logit"]);
    expect(Object.keys(rows[0] ?? {})).toContain("entropy");
    expect(rows).toHaveLength(2);
    expect(Number(rows[0]?.loss)).toBeGreaterThan(Number(rows[1]?.loss));
    expect(rows[0]).toMatchObject(
      rows[0]?.id === "a" ? { line: "1", label: "1" } : { label: "0", line: rows[0]?.id === "b" ? "2" : "3" },
    );
  });

  it.each([
    ["--top", "5", /--top needs --sort/],
    ["--sort", "grad_norm", /rows have no grad_norm; name it in --signals/],
    ["--sort", "loss,label", /rows have no label; name it in --with/],
    ["--sort", "weight", /rows have no weight; weigh with --weigh-by or --scheme/],
    ["--sort", "size", /rows have no size; available: loss, /],
    ["--with", "texts", /"texts" is not one of line, label/],
    ["--batch", "0x10", /It must be a whole number of at least 1/],
  ])("refuses %s %s", async (option, value, message) => {
    const { code, stderr, stdout } = await score("pairs.jsonl", jsonLines, option, value);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(message);
  });

  it("gives a CSV the columns of all its samples, labelled first or not", async () => {
    const mixed = `${jsonLines}\n{"id":"d","text":"a chair"}`;
    const { stdout } = await score("pairs.jsonl", mixed, "-f", "csv", "--batch", "1");
    const rows = parse(stdout, { columns: true }) as Record<string, string>[];
    expect(rows.map(({ loss, entropy }) => [loss !== "", entropy !== ""])).toEqual([
      [true, false],
      [true, false],
      [true, false],
      [false, true],
    ]);
  });

  it("leaves the file that was there where it fails", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "keep.csv");
    writeFileSync(output, "keep");
    const { code } = await scoreIn(folder, "pairs.csv", "text,label\na,1\nb, \n", "-o", output);
    expect({ code, kept: readFileSync(output, "utf8") }).toEqual({ code: 1, kept: "keep" });
    expect(readdirSync(folder).sort()).toEqual(["data", "keep.csv", "pairs.csv"]);
  });

  it("ends without a word where nobody reads its rows any more", async () => {
    const folder = temporaryFolder();
    const many = Array.from({ length: 40 }, (_, n) => `{"text":"chair ${n}"}`).join("\n");
    writeFileSync(join(folder, "pairs.jsonl"), many);
    const command = `"$1" "$2" score pairs.jsonl --batch 1 | head -n 1; exit "\${PIPESTATUS[0]}"`;
    const ended = await run("bash", ["--norc", "-c", command, "bash", process.execPath, CLI], {
      cwd: folder,
      env: environmentIn(folder),
    }).catch((error) => error);
    expect(rowsOf(ended.stdout)).toHaveLength(1);
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 141, stderr: "" });
  });

  it("leaves what it has scored where it is interrupted, and says where", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "scores.ndjson");
    writeFileSync(output, "keep");
    const child = execFile(process.execPath, [CLI, "score", "-", "--batch", "1", "-o", output], {
      env: environmentIn(folder),
    });
    const stderr = text(child.stderr as Readable);
    const exited = once(child, "exit");
    child.stdin?.write(`${jsonLines}\n`);
    const draft = async (): Promise<string> => {
      const name = readdirSync(folder).find((each) => each.endsWith(".draft"));
      return name === undefined ? "" : readFileSync(join(folder, name), "utf8");
    };
    while ((await draft()).split("\n").length < 3) await delay(20);
    child.kill("SIGINT");
    expect((await exited)[0]).toBe(130);
    expect(await stderr).toBe(`assay: ended by SIGINT. The rows scored so far are in ${output}.partial\n`);
    expect(readFileSync(output, "utf8")).toBe("keep");
    const rows = rowsOf(readFileSync(`${output}.partial`, "utf8"));
    expect(rows.length).toBeGreaterThanOrEqual(2);
    expect(rows.map(({ id }) => id)).toEqual(["a", "b", "c"].slice(0, rows.length));
  });

  it("says that a file is missing", async () => {
    const failed = await run(process.execPath, [CLI, "score", "nowhere.jsonl"], {
      env: { PATH: process.env.PATH },
    }).catch((error) => error);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/^assay: nowhere\.jsonl cannot be read: there is no such file$/m);
  });
});
