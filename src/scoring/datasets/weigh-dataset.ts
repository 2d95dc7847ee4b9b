import { createHash } from "node:crypto";
import { faultsError } from "../../errors.js";
import type { Diagnostics } from "../../importance/diagnostics.js";
import type { WeighOptions } from "../../importance/weigh-options.js";
import { type Weighting, weigh, weighMix } from "../../importance/weights.js";
import type { DatasetWeights } from "../../store/dataset-port.js";
import type { SnapshotInfo } from "../../store/dataset-records.js";
import type { Store } from "../../store/port.js";
import { type WeightingRequest, weighedSignals, weighOptions } from "../requests/weighting.js";
import { type DatasetColumns, type NeededColumns, readColumns, type SeenShapes } from "./dataset-columns.js";
import { EXTRAS_PREFIX } from "./keep.js";
import type { LaterWeighing } from "./later.js";
import type { DatasetPorts, Hooks } from "./long-work.js";
import { readDataset } from "./remembered.js";

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
  /** The client's key: the same weighing under the same key is done once. Null: it is done again each time. */
  readonly idempotencyKey: string | null;
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
  { store }: Pick<DatasetPorts, "store">,
  { dataset, weighting, served, idempotencyKey }: WeighInput,
  { signal, onProgress }: Hooks,
): Promise<DatasetWeighting> {
  const options = weighOptions(weighting);
  const request =
    idempotencyKey === null
      ? null
      : { key: digestOf(idempotencyKey).slice(0, KEY_DIGITS), body: digestOf(JSON.stringify(weighting)) };
  const done = request && (await store.readDoneRequest(dataset, request));
  if (done) return { ...(done.answer as unknown as WeighAnswer), snapshot: done.snapshot };
  const { samples } = await readDataset(store, dataset);
  const columns = await readColumns(store, dataset, neededOf(weighting, options, samples), (read) => {
    signal.throwIfAborted();
    onProgress(READING * Math.min(1, read / samples));
  });
  const { weights, diagnostics, normaliser } = weighColumns(columns, weighting, options);
  signal.throwIfAborted();
  const later: LaterWeighing = {
    signals: weighedSignals(weighting).map((each) => each.signal),
    base: options.base,
    balance: options.balance,
    normaliser,
  };
  const advice = [...diagnostics.advice, ...adviceOnMixture(columns, served)];
  const answer: WeighAnswer = { diagnostics, advice };
  const provenance = {
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
  };
  const snapshot = await store.writeSnapshot(
    dataset,
    { ...byNumber(columns, weights), later: JSON.stringify(later) },
    provenance,
    request ? { ...request, answer: { ...answer } } : undefined,
  );
  return { ...answer, snapshot };
}

/** What a weighting reads of each sample, with the paths in the request. */
function neededOf(
  weighting: WeightingRequest,
  { base, balance }: WeighOptions,
  samples: number,
): NeededColumns {
  const bases = base === null ? [] : [{ column: EXTRAS_PREFIX + base, path: "/weighting/base" }];
  return {
    samples,
    columns: [...weighedSignals(weighting).map(({ signal, path }) => ({ column: signal, path })), ...bases],
    classes: balance,
  };
}

function weighColumns(
  { values, classes }: DatasetColumns,
  { signal, mix }: WeightingRequest,
  options: WeighOptions,
): Weighting {
  const base = options.base === null ? null : values(EXTRAS_PREFIX + options.base);
  const negative = base?.filter((each) => each < 0).length ?? 0;
  if (negative > 0)
    throw faultsError("unsuitable_weighting", [
      {
        path: "/weighting/base",
        message: `must be at least 0 for every sample, and ${negative} are negative: sort=${EXTRAS_PREFIX}${options.base} lists them first`,
      },
    ]);
  const factors = { base, classes };
  return mix === undefined
    ? weigh(values(signal), options, factors)
    : weighMix(
        mix.map((part) => ({ scores: values(part.signal), share: part.share })),
        options,
        factors,
      );
}

/** What a weighing answers beside its snapshot. It is kept as JSON for a repeated request. */
type WeighAnswer = Omit<DatasetWeighting, "snapshot">;

/** Hex digits of the digest of an idempotency key. */
const KEY_DIGITS = 32;

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** @param weights (N) in the order of the columns */
function byNumber(
  { incarnation, numbers }: DatasetColumns,
  weights: Float64Array,
): Omit<DatasetWeights, "later"> {
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

/**
 * Sentences on samples whose signals are not comparable.
 *
 * @param served the models that are served now: `name@version`
 */
export function adviceOnMixture(
  { models, runModels, modes, losses, precisions, directions }: Pick<DatasetColumns, keyof SeenShapes>,
  served: readonly string[],
): string[] {
  const advice: string[] = [];
  if (models.size > 1)
    advice.push(
      `The samples were scored by ${models.size} model versions, so their signals are not comparable: ${named(models)}.`,
    );
  if (modes.size > 1)
    advice.push(
      `Some outputs were ${[...modes].map((mode) => OUTPUTS_BY_MODE[mode]).join(", others ")}, so their signals are not comparable.`,
    );
  if (precisions.size > 1)
    advice.push(
      `The samples were scored in ${precisions.size} precisions, so their signals differ a little: ${named(precisions)}.`,
    );
  if (losses.size > 1) advice.push(`The samples were scored under ${losses.size} losses: ${named(losses)}.`);
  if (directions.size > 1)
    advice.push(
      `The samples were scored along ${directions.size} directions, so their signals are not comparable: ${named(directions)}.`,
    );
  const stale = [...runModels].filter((model) => !served.includes(model));
  if (stale.length > 0)
    advice.push(
      `Some samples were scored by a model version that is no longer served (${named(stale)}): score them again.`,
    );
  return advice;
}

/** Most names that a sentence lists: a dataset may have thousands of observed models. */
const NAMED_MAX = 20;

function named(names: Iterable<string>): string {
  const all = [...names];
  const others = all.length - NAMED_MAX;
  return all.slice(0, NAMED_MAX).join(", ") + (others > 0 ? ` and ${others} more` : "");
}
