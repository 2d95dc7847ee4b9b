import { completeColumn } from "../../importance/columns.js";
import { computeSignals } from "../../importance/signals/compute.js";
import type { SignalColumn, SignalColumns } from "../../importance/types.js";
import type { Ranker } from "../../ranker/port.js";
import type { KnownOutputs } from "../outputs/outputs.js";
import { extraOf, type LabelledTexts, type Sample } from "../requests/sample.js";
import type { LearnedPlan } from "./plan-learned.js";

/** A batch, and what the trees of the model folder are to read from it. */
export interface LearnedBatch {
  readonly plan: LearnedPlan;
  readonly outputs: KnownOutputs; // of N samples
  readonly samples: readonly Sample[]; // (N)
  readonly labelled: LabelledTexts;
}

/** (N) The trees' value for each sample. Throws what `Ranker.learned` throws. */
export async function learnedColumn(
  ranker: Ranker,
  { plan, outputs, samples, labelled }: LearnedBatch,
  signal: AbortSignal,
): Promise<SignalColumn> {
  const { labels, groups, loss } = labelled;
  const columns = computeSignals(outputs, labels, loss, plan.signals, { groups });
  return Array.from(await ranker.learned(matrixOf(plan, outputs.features, columns, samples), signal));
}

/** (N, F) features, signals and extras; NaN if a sample lacks an optional extra. */
function matrixOf(
  { features: height, signals, extras }: LearnedPlan,
  features: Float32Array | undefined,
  columns: SignalColumns,
  samples: readonly Sample[],
): Float32Array {
  const width = height + signals.length + extras.length;
  const matrix = new Float32Array(samples.length * width);
  const read = signals.map((name) => completeColumn(columns, name));
  for (const [row, sample] of samples.entries()) {
    const at = row * width;
    if (features !== undefined) matrix.set(features.subarray(row * height, (row + 1) * height), at);
    for (const [s, column] of read.entries()) matrix[at + height + s] = column[row] as number;
    for (const [e, { name }] of extras.entries()) {
      matrix[at + height + signals.length + e] = extraOf(sample, name) ?? Number.NaN;
    }
  }
  return matrix;
}
