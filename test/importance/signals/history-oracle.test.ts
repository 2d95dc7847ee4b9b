import { expect, test } from "vitest";
import { addLogits } from "../../../src/importance/logit-totals.js";
import { historySignals } from "../../../src/importance/signals/history.js";
import type { Label, LossName, SignalName } from "../../../src/importance/types.js";
import { CHECKPOINTS_KEPT } from "../../../src/store/dataset-records.js";
import { readOracle } from "../../support/oracle.js";

interface HistoryCase {
  readonly loss: LossName;
  readonly logits: readonly (readonly number[])[]; // (C, K)
  readonly label: Label;
  readonly expected: Readonly<Partial<Record<SignalName, number>>>;
}

const { cases } = readOracle<{ cases: readonly HistoryCase[] }>("history");

/** A deviation comes from the difference of two sums, which loses half the digits of float64. */
const TOLERANCE = 1e-7;

test.each([
  ["all kept apart", () => 0],
  ["all but the newest merged", (count: number) => Math.max(0, count - CHECKPOINTS_KEPT)],
] as const)("the signals of a history are those of numpy and PyTorch, with its logits %s", (_, mergedOf) => {
  expect(cases.length).toBeGreaterThan(100);
  for (const { loss, logits, label, expected } of cases) {
    const classes = logits[0]?.length as number;
    const merged = mergedOf(logits.length);
    const totals = merged === 0 ? null : addLogits(null, logits.slice(0, merged).flat(), classes);
    const history = { classes, logits: logits.slice(merged).flat(), merged: totals };
    const found = historySignals(history, label, loss);
    const signals = new Map(found?.names.map((name, index) => [name, found.values[index] as number]));
    expect([...signals.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [name, value] of signals) {
      const wanted = expected[name] as number;
      const error = Math.abs(value - wanted) / Math.max(1, Math.abs(wanted));
      expect(error, `${name} of ${logits.length} checkpoints under ${JSON.stringify(label)}`).toBeLessThan(
        TOLERANCE,
      );
    }
  }
});
