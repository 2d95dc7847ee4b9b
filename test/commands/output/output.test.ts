import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { createCollector } from "../../../src/commands/output/collector.js";
import { sortingOf, sortRows, topOf } from "../../../src/commands/output/order.js";
import { openOutput } from "../../../src/commands/output/output-file.js";
import { createRowWriter } from "../../../src/commands/output/row-writer.js";
import type { OutputRow } from "../../../src/commands/output/rows.js";
import { temporaryFolder } from "../../support/app.js";

function row(id: string | null, fields: Partial<OutputRow> = {}): OutputRow {
  return { id, ...fields, weight: null, cached: false, truncated: false };
}

describe("an output file", () => {
  it("takes its name when it is whole, with the mode of the file before it, through a link too", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "scores.csv");
    writeFileSync(file, "before");
    chmodSync(file, 0o640);
    symlinkSync(file, join(folder, "link.csv"));
    const output = await openOutput(join(folder, "link.csv"));
    await output.write("after");
    expect(readFileSync(file, "utf8")).toBe("before");
    await output.finish();
    expect(readFileSync(file, "utf8")).toBe("after");
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).sort()).toEqual(["link.csv", "scores.csv"]);
  });

  it("is kept beside its name where the rest never comes, and not at all where it is empty", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "scores.csv");
    writeFileSync(file, "before");
    const empty = await openOutput(file);
    expect(await empty.abandon()).toBeNull();
    const output = await openOutput(file);
    await output.write("a part");
    expect(await output.abandon()).toBe(`${file}.partial`);
    expect(readFileSync(file, "utf8")).toBe("before");
    expect(readFileSync(`${file}.partial`, "utf8")).toBe("a part");
    expect(readdirSync(folder).sort()).toEqual(["scores.csv", "scores.csv.partial"]);
  });

  it("is a device as it stands, and none in a folder that is missing", async () => {
    const device = await openOutput("/dev/null");
    await device.write("gone");
    await device.finish();
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
    await expect(openOutput("/nowhere/at/all.csv")).rejects.toMatchObject({ code: "output_invalid" });
  });

  it.runIf(existsSync("/dev/full"))("says that there is no room", async () => {
    const output = await openOutput("/dev/full");
    await expect(output.write("a")).rejects.toMatchObject({
      code: "output_invalid",
      message: expect.stringContaining("/dev/full cannot be written: ENOSPC"),
    });
    await output.abandon();
  });
});

/** What a writer makes of batches of rows. */
async function rendered(
  format: "csv" | "ndjson",
  batches: OutputRow[][],
  later: string[] = [],
): Promise<string> {
  const file = join(temporaryFolder(), "rows");
  const output = await openOutput(file);
  const writer = createRowWriter(output, format, later);
  for (const batch of batches) await writer.write(batch);
  await output.finish();
  return readFileSync(file, "utf8");
}

describe("rows as CSV", () => {
  it("have the columns of all rows, also of those that come later", async () => {
    const csv = await rendered(
      "csv",
      [[row("a", { loss: 1 })], [row("b", { entropy: 0.5 })]],
      ["loss", "entropy"],
    );
    expect(csv).toBe("id,loss,entropy,weight,cached,truncated\na,1,,,false,false\nb,,0.5,,false,false\n");
  });

  it.each([
    ["=1+2", "'=1+2"],
    ["+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"],
    ["-2+3", "'-2+3"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\t=1", "'\t=1"],
    ["\r=1", "'\r=1"],
    ["＝1+2", "'＝1+2"],
    ["'=1", "''=1"],
    ["-5", "-5"],
    ["+1e3", "+1e3"],
    ["'90s shirt", "'90s shirt"],
    ["a=b", "a=b"],
  ])("hold the text %j as %j", async (text, cell) => {
    const csv = await rendered("csv", [[row(text, { query: text, loss: -1, logits: [-1, 2] })]]);
    const [read] = parse(csv, { columns: true }) as Record<string, string>[];
    expect(read).toMatchObject({ id: cell, query: cell, loss: "-1", logits: "[-1,2]" });
    // What docs/command-line.md tells readers to do.
    expect(cell.replace(/^'(?='*[=+\-@\t\r\n＝＋－＠])/, "")).toBe(text);
  });
});

describe("the order of rows", () => {
  const rows = [3, 1, undefined, 2, 3].map((loss, index) =>
    row(`${index}`, loss === undefined ? {} : { loss }),
  );

  async function idsOf(
    sort: string | undefined,
    top: string | undefined,
    total: number | null,
  ): Promise<string> {
    const written: OutputRow[] = [];
    const collector = createCollector(
      { write: async (batch) => void written.push(...batch) },
      {
        weigh: null,
        sort: sort === undefined ? undefined : sortingOf(sort),
        top: top === undefined ? undefined : topOf(top),
        total,
      },
    );
    for (const each of rows) await collector.add([each]);
    await collector.finish();
    return written.map(({ id }) => id).join("");
  }

  it.each([
    [undefined, undefined, "01234"],
    ["loss", undefined, "13042"],
    ["-loss", undefined, "04312"],
    ["-loss", "2", "04"],
    ["loss", "1", "1"],
    ["-loss", "40%", "04"],
    ["-loss", "41%", "043"],
    ["-loss", "100%", "04312"],
  ])("by %s, of which the top is %s, is %s", async (sort, top, ids) => {
    expect(await idsOf(sort, top, rows.length)).toBe(ids);
    expect(await idsOf(sort, top, null)).toBe(ids);
  });

  it("is by the next key where the first is equal", () => {
    const pairs = [
      row("a", { label: 0, loss: 3 }),
      row("b", { label: 1, loss: 1 }),
      row("c", { label: 1, loss: 2 }),
    ];
    expect(sortRows(pairs, sortingOf("-label,-loss")).map(({ id }) => id)).toEqual(["c", "b", "a"]);
    expect(sortRows(pairs, sortingOf("label,loss")).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  it("has no weights where it ends before the last row: those of a batch say nothing of the file", async () => {
    const written: OutputRow[] = [];
    const collector = createCollector(
      { write: async (batch) => void written.push(...batch) },
      { weigh: (all) => [...all], sort: undefined, top: undefined, total: null },
    );
    await collector.add([{ ...row("a"), weight: 1, multiplier: 1 }]);
    await collector.leave();
    expect(written).toEqual([expect.objectContaining({ id: "a", weight: null })]);
    expect(written[0]).not.toHaveProperty("multiplier");
  });

  it.each(["0", "-1", "1.5", "0%", "101%", "x", "", "5 %", "0x5"])("has no top of %j", (text) => {
    expect(() => topOf(text)).toThrow("number of rows");
  });

  it("is by weights where rows have them, of which the top has those of the whole file", async () => {
    const written: OutputRow[] = [];
    const collector = createCollector(
      { write: async (batch) => void written.push(...batch) },
      {
        weigh: (all) => all.map((each, index) => ({ ...each, weight: index })),
        sort: sortingOf("-weight"),
        top: topOf("2"),
        total: 5,
      },
    );
    await collector.add(rows);
    await collector.finish();
    expect(written.map(({ id, weight }) => [id, weight])).toEqual([
      ["4", 4],
      ["3", 3],
    ]);
  });
});
