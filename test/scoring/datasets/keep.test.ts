import { describe, expect, it } from "vitest";
import { mergeRecords } from "../../../src/scoring/datasets/keep.js";
import type { SampleRecord } from "../../../src/store/dataset-records.js";
import { groupDigest, sample } from "../../store/conformance/records.js";

const OLD = {
  loss: 0.5,
  entropy: 0.6,
  grad_norm: 7,
  sensitivity: 8,
  influence: -1,
  tangent: 2,
  rho: 0.1,
  learned: 0.9,
  "extras.clicks": 3,
};
const old = sample({
  outputsKey: Buffer.alloc(16, 1),
  label: 1,
  group: groupDigest("usb"),
  source: "clicks",
  directions: ["valid@1"],
  signals: new Map(Object.entries(OLD)),
});

/** A scoring that computed the loss only. */
function fresh(fields: Partial<SampleRecord> = {}): SampleRecord {
  const { group, source } = old;
  const signals = new Map([["loss", 0.25]]);
  return sample({ outputsKey: Buffer.alloc(16, 2), label: 1, group, source, signals, ...fields });
}

function merged(record: SampleRecord, hasReference = false): SampleRecord {
  return mergeRecords({ classes: 1, hasReference: () => hasReference })(old, record);
}

function names({ signals }: SampleRecord): string[] {
  return [...signals.keys()].sort();
}

const ALL = Object.keys(OLD).sort();
const LABEL_FREE = ["entropy", "extras.clicks", "loss", "sensitivity", "tangent"];

describe("a sample that is scored again", () => {
  it("keeps the signals that the scoring did not compute, its directions and its extras", () => {
    const record = merged(fresh());
    expect(names(record)).toEqual(ALL);
    expect(record.signals.get("loss")).toBe(0.25);
    expect(record.signals.get("grad_norm")).toBe(7);
    expect(record).toMatchObject({ directions: ["valid@1"], source: "clicks" });
    expect(record.outputsKey).toEqual(Buffer.alloc(16, 2));
  });

  it.each<[string, Partial<SampleRecord>, readonly string[]]>([
    ["another label: what depends on it", { label: 0 }, LABEL_FREE],
    ["no label", { label: null }, LABEL_FREE],
    ["another loss", { loss: "mse" }, LABEL_FREE],
    ["another group", { group: groupDigest("hdmi") }, LABEL_FREE],
    ["another text: all", { textDigest: Buffer.alloc(6, 9) }, ["extras.clicks", "loss"]],
    ["another model", { model: "default@other" }, ["extras.clicks", "loss"]],
    ["another precision", { precision: "int8" }, ["extras.clicks", "loss"]],
    [
      "other directions",
      { directions: ["other@1"], signals: new Map([["influence", 1]]) },
      ["entropy", "extras.clicks", "grad_norm", "influence", "loss", "rho", "sensitivity"],
    ],
    [
      "other extras",
      { signals: new Map([["extras.price", 1]]) },
      ALL.filter((name) => name !== "learned" && name !== "extras.clicks")
        .concat("extras.price")
        .sort(),
    ],
  ])("drops what no longer holds with %s", (_about, fields, expected) => {
    expect(names(merged(fresh(fields)))).toEqual([...expected].sort());
  });

  it("drops what was compared with a reference if another one was sent", () => {
    expect(names(merged(fresh(), true))).toEqual(ALL.filter((name) => name !== "rho" && name !== "learned"));
  });

  it("is known by the key of its outputs if the record has no digest of its text, as in 1a1e855", () => {
    const first = { ...old, textDigest: null, precision: null };
    const merge = mergeRecords({ classes: 1, hasReference: () => false });
    expect(names(merge(first, fresh({ outputsKey: old.outputsKey })))).toEqual(ALL);
    expect(names(merge(first, fresh()))).toEqual(["extras.clicks", "loss"]);
  });

  it("keeps its source unless another one is sent", () => {
    expect(merged(fresh({ source: null })).source).toBe("clicks");
    expect(merged(fresh({ source: "crawl" })).source).toBe("crawl");
  });
});
