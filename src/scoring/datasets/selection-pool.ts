import { type Fault, faultsError } from "../../errors.js";
import { SELECTION_RULES } from "../../importance/selection/rules.js";
import type { SnapshotInfo } from "../../store/dataset-records.js";
import type { DatasetIndex } from "../looks/dataset-index.js";
import { columnOf, matcher } from "../looks/rank-samples.js";
import { fault, type PostedSelection, readsSignal, WEIGHT_SIGNAL } from "../requests/selection.js";

/** The samples that can be selected, in the order of the N rows. */
export interface Pool {
  readonly scores: Float64Array | null; // (N)
  readonly excluded: Uint8Array; // (N) 1: not a candidate
  readonly candidates: number;
  readonly withoutScore: number;
  /** Ids to exclude that no row has. */
  readonly unknownIds: number;
  /** Version of the snapshot whose weights are the scores; null if they are not weights. */
  readonly snapshot: number | null;
}

/**
 * The candidates of a selection and their scores.
 *
 * Throws `unsuitable_selection` if there are none, or if the method needs scores of at least 0 and some are negative; and
 * `unsuitable_signal` if no sample has a column or the source.
 *
 * @param rows (N) the samples that the method can select from, in their order
 * @param snapshot the newest of the dataset
 */
export function poolOf(
  index: DatasetIndex,
  rows: Uint32Array,
  selection: PostedSelection,
  snapshot: SnapshotInfo | null,
): Pool {
  const { method, filter = {}, exclude = [] } = selection;
  const rule = SELECTION_RULES[method];
  const reads = readsSignal(selection);
  const values = reads ? scoreColumn(index, selection, snapshot) : null;
  const ranges = (filter.ranges ?? []).map(({ column, min, max }) => ({
    column,
    min: min ?? Number.NEGATIVE_INFINITY,
    max: max ?? Number.POSITIVE_INFINITY,
  }));
  const { label, source } = filter;
  const passes = matcher(
    index,
    { ...(label !== undefined && { label }), ...(source !== undefined && { source }), ranges },
    (range) => `/filter/ranges/${range}/column`,
  );
  const left = new Set(exclude);
  const excluded = new Uint8Array(rows.length);
  // Without a signal, every sample has the score 1. Methods that read no score are not given any.
  const scores = reads || rule.multipliers ? new Float64Array(rows.length).fill(1) : null;
  const tally = { candidates: 0, withoutScore: 0, negative: [] as number[], named: 0 };
  for (const [at, row] of rows.entries()) {
    const isNamed = left.size > 0 && left.has(index.id(row));
    if (isNamed) tally.named++;
    if (isNamed || !passes(row) || (rule.unlabelled && index.labelled[row] === 1)) {
      excluded[at] = 1;
      continue;
    }
    if (values !== null && scores !== null) {
      const value = values[row] as number;
      if (!Number.isFinite(value)) {
        tally.withoutScore++;
        excluded[at] = 1;
        continue;
      }
      scores[at] = value;
      if (value < 0) tally.negative.push(row);
    }
    tally.candidates++;
  }
  const { candidates, withoutScore, negative } = tally;
  if (candidates === 0) throw faultsError("unsuitable_selection", [nobodyLeft(selection, withoutScore)]);
  if (rule.scores === "non_negative" && negative.length > 0)
    throw faultsError("unsuitable_selection", [
      fault(
        "signal",
        `is ${selection.signal}, which is negative for ${negative.length} of ${candidates} samples (such as ${JSON.stringify(index.id(negative[0] as number))}), and ${method} draws in proportion to it: weigh by it with the scheme softmax or rank, and select by ${WEIGHT_SIGNAL}`,
      ),
    ]);
  const isWeight = selection.signal === WEIGHT_SIGNAL;
  return {
    scores,
    excluded,
    candidates,
    withoutScore,
    unknownIds: left.size - tally.named,
    snapshot: isWeight ? (snapshot?.version ?? null) : null,
  };
}

function scoreColumn(
  index: DatasetIndex,
  { signal }: PostedSelection,
  snapshot: SnapshotInfo | null,
): Float32Array {
  const name = signal as string;
  if (name === WEIGHT_SIGNAL && snapshot === null)
    throw faultsError("unsuitable_selection", [
      fault("signal", `is ${WEIGHT_SIGNAL}, and the dataset has no weights: weigh it first`),
    ]);
  return columnOf(index, name, "/signal");
}

function nobodyLeft({ method, signal, filter }: PostedSelection, withoutScore: number): Fault {
  if (withoutScore > 0)
    return fault("signal", `is ${signal}, which none of the ${withoutScore} samples to select from has`);
  if (SELECTION_RULES[method].unlabelled)
    return fault(
      "method",
      `is ${method}, which selects samples without a label, and none is left to select from`,
    );
  return fault(filter === undefined ? "exclude" : "filter", "leaves no sample to select from");
}
