import { distributionOf } from "../distribution.js";
import { targetOf } from "../labels.js";
import { lossGradients, rowOf } from "../loss-gradients.js";
import type { LossAtLogits } from "../losses.js";
import {
  BATCH_MATRICES,
  type Label,
  type LogitBatch,
  type LossName,
  MATRIX_ENTRIES,
  type MatrixRows,
  NO_ROWS,
  type SignalColumn,
  type SignalName,
} from "../types.js";
import { checkBatch } from "./check-batch.js";
import type { SignalContext } from "./context.js";
import type { Figures, Signal } from "./signal.js";
import { SIGNAL_TABLE } from "./table.js";

/**
 * The named signals of N samples, in the order of `names`. Labelled and unlabelled samples may be mixed. A signal is null if the
 * sample's label does not allow it; `labelNeed(name, classes)` says which label it needs.
 *
 * Values are finite for float32 logits, except that the `mse` loss of a label beyond 1e154 is infinite.
 *
 * @param labels (N); `labelFault` has found no fault
 * @throws RangeError if the batch's lengths disagree, a figure is not finite, a label has a fault, the loss does not suit the
 *   number of logits, a signal does not suit the loss, a signal has no formula, or what it reads is absent. The caller must
 *   refuse such requests before
 */
export function computeSignals(
  batch: LogitBatch,
  labels: readonly Label[],
  loss: LossName,
  names: readonly SignalName[],
  context: SignalContext = {},
): Map<SignalName, SignalColumn> {
  checkBatch(batch, labels, loss, names, context);
  const atLogits = lossGradients(batch, labels, loss, context.groups ?? []);
  const columns = names.map((name) => {
    const values: (number | null)[] = [];
    return { name, formula: formulaOf(name), values };
  });
  const readsProbabilities = names.some((name) => !SIGNAL_TABLE[name].losses.includes("mse"));
  for (const [index, label] of labels.entries()) {
    const own = atLogits[index] ?? null;
    const figures = readFigures(batch, { index, label, atLogits: own, readsProbabilities }, context);
    for (const { formula, values } of columns) values.push(formula(figures));
  }
  return new Map(columns.map(({ name, values }) => [name, values]));
}

function formulaOf(name: SignalName): NonNullable<Signal["formula"]> {
  const { formula } = SIGNAL_TABLE[name];
  if (formula === null) throw new RangeError(`${name} has no formula: it is computed elsewhere`);
  return formula;
}

interface Labelled {
  readonly index: number;
  readonly label: Label;
  readonly atLogits: LossAtLogits | null;
  readonly readsProbabilities: boolean;
}

function readFigures(
  batch: LogitBatch,
  { index, label, atLogits, readsProbabilities }: Labelled,
  { directionNorm = 0, referenceLosses }: SignalContext,
): Figures {
  const { logits, featureNormsSquared, classes } = batch;
  const own = rowOf(logits, index, classes);
  return {
    logits: own,
    featureNormSquared: featureNormsSquared[index] as number,
    label,
    distribution: readsProbabilities ? distributionOf(own) : null,
    target: readsProbabilities && label !== null ? targetOf(label, classes) : null,
    atLogits,
    rows: rowsOf(batch, index),
    directionNorm,
    referenceLoss: referenceLosses?.[index] ?? null,
  };
}

function rowsOf(batch: LogitBatch, index: number): MatrixRows {
  if (BATCH_MATRICES.every((name) => batch[name] === undefined)) return NO_ROWS;
  const rows: { -readonly [M in keyof MatrixRows]: MatrixRows[M] } = { ...NO_ROWS };
  for (const name of BATCH_MATRICES) {
    const matrix = batch[name];
    if (matrix !== undefined) rows[name] = rowOf(matrix, index, MATRIX_ENTRIES[name](batch.classes));
  }
  return rows;
}
