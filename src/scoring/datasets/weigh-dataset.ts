import type { Diagnostics } from "../../importance/diagnostics.js";
import { weigh } from "../../importance/weights.js";
import type { DatasetWeights, SnapshotInfo, Store } from "../../store/port.js";
import { type WeightingRequest, weighedScores, weighedSignals, weighOptions } from "../requests/weighting.js";
import type { DatasetPorts, Hooks } from "./long-work.js";
import { readDataset } from "./remembered.js";
import { readSignals, type SignalColumnsOfDataset } from "./signal-columns.js";

export interface DatasetWeighting {
  readonly snapshot: SnapshotInfo;
  readonly diagnostics: Diagnostics;
  readonly advice: readonly string[];
}

/** What to weigh, and how. Plain values only. */
export interface WeighInput {
  readonly dataset: string;
  readonly weighting: WeightingRequest;
  /** The models that are served now: `name@version`. */
  readonly served: readonly string[];
}

/** Finds the faults of a weighting that can be found without reading the samples. Throws as `weighDataset` does. */
export async function checkWeighing(
  store: Store,
  dataset: string,
  weighting: WeightingRequest,
): Promise<void> {
  weighOptions(weighting);
  await readDataset(store, dataset);
}

/** The share of the work that reading takes. */
const READING = 0.7;

/**
 * Weighs every sample of a dataset and keeps the weights as its newest snapshot. The weighting reads a signal, or a mix of
 * signals, that the dataset remembers for every sample.
 *
 * Throws `dataset_not_found`, `unsuitable_weighting` (also if all samples of the dataset have been deleted), and
 * `unsuitable_signal` if a sample lacks a signal. The message then names the signals that all samples have.
 */
export async function weighDataset(
  { store }: DatasetPorts,
  { dataset, weighting, served }: WeighInput,
  { signal, onProgress }: Hooks,
): Promise<DatasetWeighting> {
  const options = weighOptions(weighting);
  const { samples } = await readDataset(store, dataset);
  const columns = await readSignals(store, dataset, weighedSignals(weighting), (read) => {
    signal.throwIfAborted();
    onProgress(READING * Math.min(1, read / samples));
  });
  const { weights, diagnostics } = weigh(weighedScores(weighting, columns.values), options);
  signal.throwIfAborted();
  const snapshot = await store.writeSnapshot(dataset, byNumber(columns, weights), {
    weighting: { ...weighting, ...options },
    models: [...columns.models],
    losses: [...columns.losses],
    directions: [...columns.directions],
    diagnostics: {
      effective_sample_size: diagnostics.effectiveSampleSize,
      max_weight: diagnostics.maxWeight,
      pareto_k: diagnostics.pareto.k,
      tau: diagnostics.tau,
    },
  });
  return { snapshot, diagnostics, advice: [...diagnostics.advice, ...adviceOnMixture(columns, served)] };
}

/** @param weights (N) in the order of the columns */
function byNumber({ incarnation, numbers }: SignalColumnsOfDataset, weights: Float64Array): DatasetWeights {
  let last = -1;
  for (let row = 0; row < numbers.length; row++) last = Math.max(last, numbers[row] as number);
  const column = new Float64Array(last + 1).fill(Number.NaN);
  for (let row = 0; row < numbers.length; row++) column[numbers[row] as number] = weights[row] as number;
  return { incarnation, weights: column };
}

const OUTPUTS_BY_MODE = {
  run: "computed by a model of this service",
  train: "observed by a trainer in mode train",
  eval: "observed by a trainer in mode eval",
} as const;

function adviceOnMixture(
  { models, runModels, modes, losses, precisions, directions }: SignalColumnsOfDataset,
  served: readonly string[],
): string[] {
  const advice: string[] = [];
  if (models.size > 1)
    advice.push(
      `The samples were scored by ${models.size} model versions, so their signals are not comparable: ${[...models].join(", ")}.`,
    );
  if (modes.size > 1)
    advice.push(
      `Some outputs were ${[...modes].map((mode) => OUTPUTS_BY_MODE[mode]).join(", others ")}, so their signals are not comparable.`,
    );
  if (precisions.size > 1)
    advice.push(
      `The samples were scored in ${precisions.size} precisions, so their signals differ a little: ${[...precisions].join(", ")}.`,
    );
  if (losses.size > 1)
    advice.push(`The samples were scored under ${losses.size} losses: ${[...losses].join(", ")}.`);
  if (directions.size > 1)
    advice.push(
      `The samples were scored along ${directions.size} directions, so their signals are not comparable: ${[...directions].join(", ")}.`,
    );
  const stale = [...runModels].filter((model) => !served.includes(model));
  if (stale.length > 0)
    advice.push(
      `Some samples were scored by a model version that is no longer served (${stale.join(", ")}): score them again.`,
    );
  return advice;
}
