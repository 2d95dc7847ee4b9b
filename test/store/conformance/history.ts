import { expect, it } from "vitest";
import { HISTORY_RULES } from "../../../src/scoring/datasets/keep.js";
import type { SampleEntry, WrittenSamples } from "../../../src/store/dataset-port.js";
import { CHECKPOINTS_KEPT, type SampleRecord } from "../../../src/store/dataset-records.js";
import type { Store } from "../../../src/store/port.js";
import { type OpenStore, sample, scanAll } from "./records.js";

/** A record whose only signals are those of its history. */
function plain(fields: Partial<SampleRecord> = {}): SampleRecord {
  return sample({ signals: new Map(), ...fields });
}

/** What every store promises of histories; `store` is an empty one, `open` opens its place again. */
export function describeHistories(store: () => Store, open: OpenStore): void {
  async function write(
    id: string,
    [name, step]: readonly [string, number],
    logits: number | readonly number[],
    record = plain(),
  ): Promise<WrittenSamples> {
    const entry = { id, record, logits: [logits].flat() };
    return store().writeSamples("d", [entry], (_, fresh) => fresh, {
      ...HISTORY_RULES,
      checkpoint: { name, step },
    });
  }
  const epoch = (step: number): [string, number] => [`epoch-${step}`, step];

  async function historyOf(id: string) {
    const found = await store().readHistories("d", [id]);
    const [history] = found?.histories ?? [];
    if (found === null || history === null || history === undefined) return null;
    const names = history.checkpoints.map((number) => found.checkpoints[number]?.name);
    return { names, logits: [...history.logits], merged: history.merged };
  }
  const signalsOf = async (id: string): Promise<Record<string, number>> =>
    Object.fromEntries((await store().readSamples("d", [id]))[0]?.record.signals ?? []);

  it("keep the logits by checkpoint, and the signals of the present label with the record", async () => {
    expect(await store().readHistories("d", ["a"])).toBeNull();
    await write("a", epoch(1), 1);
    await write("a", epoch(2), -2);
    expect(await historyOf("a")).toEqual({ names: ["epoch-1", "epoch-2"], logits: [1, -2], merged: null });
    const p = [1, -2].map((z) => 1 / (1 + Math.exp(-z))) as [number, number];
    const signals = await signalsOf("a");
    expect(signals.mean_confidence).toBeCloseTo((p[0] + p[1]) / 2, 6);
    expect(signals.variability).toBeCloseTo((p[0] - p[1]) / 2, 6);
    expect(signals).toMatchObject({ aum: -0.5, forgetting: 1 });
    expect(await store().readHistories("d", ["missing", "a"])).toMatchObject({
      checkpoints: [
        { name: "epoch-1", step: 1 },
        { name: "epoch-2", step: 2 },
      ],
      histories: [null, { classes: 1, checkpoints: [0, 1] }],
    });
  });

  it("and records keep of an id that comes twice in one writing what came last, be it new or known", async () => {
    const posted = [
      { id: "a", record: plain({ label: 0, model: "first@1" }), logits: [1] },
      { id: "b", record: plain({ label: 0 }), logits: [2] },
      { id: "a", record: plain({ label: 1 }), logits: [3] },
    ];
    // A view, which makes each entry anew, must give the same as a list.
    const entries = { length: posted.length, at: (index: number) => ({ ...posted[index] }) as SampleEntry };
    for (const step of [1, 2]) {
      const rules = { ...HISTORY_RULES, checkpoint: { name: `epoch-${step}`, step } };
      const written = await store().writeSamples("d", entries, (_, fresh) => fresh, rules);
      expect(written).toEqual({ late: 0 });
    }
    const [a, b] = await store().readSamples("d", ["a", "b"]);
    expect([a?.record.label, b?.record.label]).toEqual([1, 0]);
    expect((await historyOf("a"))?.logits).toEqual([3, 3]);
    expect((await historyOf("b"))?.logits).toEqual([2, 2]);
    const summary = await store().readDataset("d");
    expect(summary?.samples).toBe(2);
    expect([...(summary?.samplesByModel ?? [])]).toEqual([[plain().model, 2]]);
    const scanned = await scanAll(store(), "d");
    expect(scanned.map(({ id }) => id).sort()).toEqual(["a", "b"]);
  });

  it("recompute the signals for a new label that comes without a checkpoint", async () => {
    await write("a", epoch(1), 1);
    await write("a", epoch(2), -2);
    const relabelled = [{ id: "a", record: plain({ label: 0 }) }];
    await store().writeSamples("d", relabelled, (_, fresh) => fresh, { ...HISTORY_RULES, checkpoint: null });
    expect(await signalsOf("a")).toMatchObject({ aum: 0.5, forgetting: 0 });
    expect((await historyOf("a"))?.logits).toEqual([1, -2]);
  });

  it("take arrivals in any order to their place by step, and a repeated one in place of the first", async () => {
    for (const step of [3, 1, 2]) await write("a", epoch(step), step);
    expect(await historyOf("a")).toMatchObject({
      names: ["epoch-1", "epoch-2", "epoch-3"],
      logits: [1, 2, 3],
    });
    await write("a", epoch(2), -0.5);
    expect((await historyOf("a"))?.logits).toEqual([1, -0.5, 3]);
  });

  it("merge all but the newest checkpoints, and ignore and count what comes for a merged step", async () => {
    const steps = Array.from({ length: CHECKPOINTS_KEPT + 3 }, (_, index) => 10 * (index + 1));
    for (const step of steps)
      expect(await write("a", epoch(step), step % 20 === 0 ? 1 : -1)).toEqual({ late: 0 });
    const { names, merged } = (await historyOf("a")) ?? {};
    expect(names).toEqual(steps.slice(3).map((step) => `epoch-${step}`));
    expect(merged).toMatchObject({ count: 3, predicted: 0, through: 2 });
    expect([...(merged?.left ?? [])]).toEqual([1, 1]);
    const signals = await signalsOf("a");
    expect(signals).toMatchObject({ aum: Math.fround(-1 / 19), forgetting: 9 });
    for (const step of [30, 25]) expect(await write("a", epoch(step), 5)).toEqual({ late: 1 });
    expect(await signalsOf("a")).toEqual(signals);
    expect(await write("a", epoch(35), 2)).toEqual({ late: 0 });
    expect((await historyOf("a"))?.merged).toMatchObject({ count: 4, predicted: 1 });
  });

  it("refuse a known checkpoint with another step, and write nothing", async () => {
    await write("a", epoch(1), 1);
    const before = await scanAll(store(), "d");
    await expect(write("b", ["epoch-1", 2], 1)).rejects.toMatchObject({
      code: "checkpoint_conflict",
      message: expect.stringContaining('must be 1, with which the dataset knows the checkpoint "epoch-1"'),
    });
    const other = await open();
    const entries = [{ id: "b", record: plain(), logits: [1] }];
    const rules = { ...HISTORY_RULES, checkpoint: { name: "epoch-1", step: 7 } };
    await expect(other.writeSamples("d", entries, undefined, rules)).rejects.toMatchObject({
      code: "checkpoint_conflict",
    });
    expect(await scanAll(store(), "d")).toEqual(before);
  });

  it("start again with a text that is known to be another, and with another number of logits", async () => {
    await write("a", epoch(1), 1);
    await write("a", epoch(2), 2, plain({ textDigest: null }));
    expect((await historyOf("a"))?.logits).toEqual([1, 2]);
    await write("a", epoch(3), 3, plain({ textDigest: Buffer.from("000000000001", "hex") }));
    expect((await historyOf("a"))?.logits).toEqual([1, 2, 3]);
    await write("a", epoch(4), 4, plain({ textDigest: Buffer.from("000000000002", "hex") }));
    expect((await historyOf("a"))?.logits).toEqual([4]);
    const record = plain({ loss: "cross_entropy", label: 2, textDigest: null });
    await write("a", epoch(5), [0.5, 1, 3], record);
    expect(await historyOf("a")).toMatchObject({ names: ["epoch-5"], logits: [0.5, 1, 3] });
    expect(await signalsOf("a")).toMatchObject({ aum: 2, forgetting: 0 });
  });

  it("go when their text is replaced by one that no checkpoint has scored", async () => {
    await write("a", epoch(1), 1);
    const replaced = [{ id: "a", record: plain({ textDigest: Buffer.from("000000000001", "hex") }) }];
    await store().writeSamples("d", replaced, (_, fresh) => fresh, { ...HISTORY_RULES, checkpoint: null });
    expect(await historyOf("a")).toBeNull();
    expect(await signalsOf("a")).toEqual({});
  });

  it("go with their sample and with their dataset, and do not come back", async () => {
    await write("a", epoch(1), 1);
    await write("b", epoch(1), 2);
    await store().deleteSample("d", "a");
    await write("a", epoch(2), 3);
    expect(await historyOf("a")).toMatchObject({ names: ["epoch-2"], logits: [3] });
    expect((await historyOf("b"))?.logits).toEqual([2]);
    await store().deleteDataset("d");
    expect(await store().readHistories("d", ["a"])).toBeNull();
    await write("b", ["epoch-1", 99], 4);
    expect(await historyOf("b")).toMatchObject({ names: ["epoch-1"], logits: [4] });
    expect((await store().readHistories("d", []))?.checkpoints).toEqual([{ name: "epoch-1", step: 99 }]);
  });

  it("are right when several processes write checkpoints and samples at once", async () => {
    const stores = [store(), await open(), await open()];
    const ids = Array.from({ length: 120 }, (_, index) => `s${index}`);
    await Promise.all(
      stores.map((each, index) => {
        const entries = ids.map((id) => ({ id, record: plain(), logits: [index] }));
        const rules = { ...HISTORY_RULES, checkpoint: { name: `epoch-${index}`, step: index } };
        return each.writeSamples("d", entries, (_, fresh) => fresh, rules);
      }),
    );
    const found = await store().readHistories("d", ids);
    const steps = found?.checkpoints.map(({ step }) => step) ?? [];
    for (const history of found?.histories ?? []) {
      expect(history?.checkpoints.map((number) => steps[number])).toEqual([0, 1, 2]);
      expect([...(history?.logits ?? [])]).toEqual([0, 1, 2]);
    }
  });
}
