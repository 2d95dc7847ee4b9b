import { AssayError, type Fault, throwFaults } from "../../errors.js";
import type { Diagnostics } from "../../importance/diagnostics.js";
import { SIGNALS, type SignalName } from "../../importance/types.js";
import { weigh } from "../../importance/weights.js";
import type { Rankers } from "../../ranker/port.js";
import type { SampleStore, SnapshotInfo } from "../../store/port.js";
import type { Ports } from "../ports.js";
import { type AskedSignal, readingsOf } from "../requests/checks.js";
import {
  refuseFactors,
  type WeightingRequest,
  weighedScores,
  weighedSignals,
  weighOptions,
} from "../requests/weighting.js";
import { readDataset, staleness } from "./remembered.js";

export interface DatasetWeighting {
  readonly snapshot: SnapshotInfo;
  readonly diagnostics: Diagnostics;
  readonly advice: readonly string[];
}

/**
 * Weighs every sample of a dataset and keeps the weights as its newest snapshot. The weighting reads a signal, or a mix of
 * signals, that the dataset remembers for every sample.
 *
 * Throws `dataset_not_found`, `unsuitable_weighting` (also if all samples of the dataset have been deleted), and
 * `unsuitable_signal` if a sample lacks a signal. The message then names the signals that all samples have.
 */
export async function weighDataset(
  { rankers, store }: Ports,
  dataset: string,
  request: WeightingRequest,
): Promise<DatasetWeighting> {
  const options = weighOptions(request);
  refuseFactors(request);
  await readDataset(store, dataset);
  const scores = await readScores(store, dataset, weighedSignals(request));
  const ofSignal = (signal: SignalName): number[] => scores.values.get(signal) as number[];
  const { weights, diagnostics } = weigh(weighedScores(request, ofSignal), options);
  const snapshot = await store.writeSnapshot(
    dataset,
    { ids: scores.ids, weights },
    {
      weighting: { ...request, ...options },
      models: [...scores.models],
      losses: [...scores.losses],
      directions: [...scores.directions],
      diagnostics: {
        effective_sample_size: diagnostics.effectiveSampleSize,
        max_weight: diagnostics.maxWeight,
        pareto_k: diagnostics.pareto.k,
        tau: diagnostics.tau,
      },
    },
  );
  return { snapshot, diagnostics, advice: [...diagnostics.advice, ...adviceOnMixture(scores, rankers)] };
}

interface Scores {
  readonly ids: string[];
  /** (N) values of each signal. */
  readonly values: ReadonlyMap<SignalName, number[]>;
  readonly models: Set<string>;
  readonly losses: Set<string>;
  /** Each entry is a direction, or several that were summed; empty if no weighed signal is measured along a direction. */
  readonly directions: Set<string>;
}

/** Most ids that a refusal names. */
const LACKING_NAMED = 5;

async function readScores(
  store: SampleStore,
  dataset: string,
  weighed: readonly AskedSignal[],
): Promise<Scores> {
  const scores: Scores = {
    ids: [],
    values: new Map(weighed.map(({ signal }) => [signal, []])),
    models: new Set(),
    losses: new Set(),
    directions: new Set(),
  };
  const readsDirections = readingsOf(
    weighed.map(({ signal }) => signal),
    false,
  ).has("tangent");
  const having = new Map<string, number>();
  const lacking = new Map<SignalName, string[]>(weighed.map(({ signal }) => [signal, []]));
  let samples = 0;
  for await (const chunk of store.scanSamples(dataset)) {
    for (const { id, record } of chunk) {
      samples += 1;
      for (const name of record.signals.keys()) having.set(name, (having.get(name) ?? 0) + 1);
      for (const [signal, values] of scores.values) {
        const value = record.signals.get(signal);
        if (value !== undefined) values.push(value);
        else if ((lacking.get(signal)?.length ?? 0) < LACKING_NAMED) lacking.get(signal)?.push(id);
      }
      scores.ids.push(id);
      scores.models.add(record.model);
      scores.losses.add(record.loss);
      if (readsDirections && record.directions.length > 0)
        scores.directions.add(record.directions.join(" + "));
    }
  }
  if (samples === 0)
    throw new AssayError("unsuitable_weighting", { detail: `Dataset ${dataset} has no samples to weigh` });
  const common = SIGNALS.filter((name) => having.get(name) === samples).join(", ") || "no signal in common";
  throwFaults(
    "unsuitable_signal",
    weighed.flatMap(({ signal, path }): Fault[] => {
      const count = samples - (having.get(signal) ?? 0);
      if (count === 0) return [];
      const named = (lacking.get(signal) ?? []).map((id) => JSON.stringify(id)).join(", ");
      const which = count > LACKING_NAMED ? `${named}, …` : named;
      const message = `${count} of ${samples} samples were scored without ${signal} (${which}); all ${samples} samples have: ${common}`;
      return [{ path, message }];
    }),
  );
  return scores;
}

function adviceOnMixture({ models, losses, directions }: Scores, rankers: Rankers): string[] {
  const advice: string[] = [];
  if (models.size > 1)
    advice.push(
      `The samples were scored by ${models.size} model versions, so their signals are not comparable: ${[...models].join(", ")}.`,
    );
  if (losses.size > 1)
    advice.push(`The samples were scored under ${losses.size} losses: ${[...losses].join(", ")}.`);
  if (directions.size > 1)
    advice.push(
      `The samples were scored along ${directions.size} directions, so their signals are not comparable: ${[...directions].join(", ")}.`,
    );
  const stale = [...models].filter(staleness(rankers));
  if (stale.length > 0)
    advice.push(
      `Some samples were scored by a model version that is no longer served (${stale.join(", ")}): score them again.`,
    );
  return advice;
}
