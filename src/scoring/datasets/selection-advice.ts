import type { Selection } from "../../importance/selection/types.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import type { DatasetIndex } from "../looks/dataset-index.js";
import { isSignal, type PostedSelection, WEIGHT_SIGNAL } from "../requests/selection.js";
import type { NamedStrata } from "./strata.js";
import { adviceOnMixture } from "./weigh-dataset.js";

/** What a selection was made from, and what came of it. */
export interface Selected {
  readonly selection: PostedSelection;
  readonly index: DatasetIndex;
  /** The samples that the method could select from. */
  readonly rows: Uint32Array;
  readonly pool: { readonly candidates: number; readonly withoutScore: number; readonly unknownIds: number };
  readonly strata: NamedStrata | null;
  readonly counts: Uint32Array; // (S) candidates
  readonly selected: Selection;
  /** The models that are served now: `name@version`. */
  readonly served: readonly string[];
}

/** Signals whose largest values wrong labels have. */
const HARD = ["loss", "el2n", "grad_norm_last", "grad_norm"];

/** Sentences on what a person should know before training on the selection. */
export function selectionAdvice({
  selection,
  index,
  rows,
  pool,
  strata,
  counts,
  selected,
  served,
}: Selected): string[] {
  const { method, signal, quotas, stratify_by: by } = selection;
  const advice: string[] = [];
  if (pool.withoutScore > 0)
    advice.push(
      signal === WEIGHT_SIGNAL
        ? `${pool.withoutScore} samples have no weight in the newest snapshot, so they were left out: weigh the dataset again.`
        : `${pool.withoutScore} samples have no ${signal}, so they were left out: score them with it.`,
    );
  const withoutEmbedding = index.count - rows.length;
  if (withoutEmbedding > 0)
    advice.push(
      `${withoutEmbedding} of ${index.count} samples have no embedding of the newest model, so they were left out: score them again.`,
    );
  if (pool.unknownIds > 0)
    advice.push(
      `${pool.unknownIds} of the ids to exclude are not in the dataset${withoutEmbedding > 0 ? ", or have no embedding" : ""}.`,
    );
  const unnamed = strata === null ? 0 : (counts[strata.names.indexOf(null)] ?? 0);
  if (unnamed > 0)
    advice.push(
      quotas === undefined
        ? `${unnamed} samples have no ${by}: they are a stratum of their own.`
        : `${unnamed} samples have no ${by}, so no quota names them, and none was selected.`,
    );
  const neverDrawn = selected.estimator?.neverDrawn ?? 0;
  if (neverDrawn > 0)
    advice.push(
      `${neverDrawn} of ${pool.candidates} samples had no chance to be drawn, because their score or quota is 0: estimates with the multipliers leave them out.`,
    );
  if (method === "top" && signal !== undefined && HARD.includes(signal))
    advice.push(
      `The largest values of ${signal} belong to hard samples and to wrong labels. Review these samples; training on them alone did harm in a pilot. To train on fewer samples, use poisson with multipliers.`,
    );
  if (selected.estimator !== null && signal !== undefined)
    advice.push(
      "Multiply the loss of each sample by its multiplier to keep the objective: without it, the model is trained more on what was drawn more.",
    );
  return [...advice, ...mixtureAdvice(signal, index, served)];
}

function mixtureAdvice(
  signal: string | undefined,
  { seen }: DatasetIndex,
  served: readonly string[],
): string[] {
  if (signal === undefined || !isSignal(signal)) return [];
  const readsDirection = SIGNAL_TABLE[signal].reads.includes("tangent");
  return adviceOnMixture(readsDirection ? seen : { ...seen, directions: new Set() }, served);
}
