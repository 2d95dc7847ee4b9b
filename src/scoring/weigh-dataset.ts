import { AssayError } from "../errors.js";
import type { Diagnostics } from "../importance/diagnostics.js";
import { SIGNALS, type SignalName } from "../importance/types.js";
import { weigh } from "../importance/weights.js";
import type { Rankers } from "../ranker/port.js";
import type { SnapshotInfo, Store } from "../store/port.js";
import { readDataset, staleness } from "./remembered.js";
import { type WeightingRequest, weighOptions } from "./weighting.js";

export interface DatasetWeighting {
  readonly snapshot: SnapshotInfo;
  readonly diagnostics: Diagnostics;
  readonly advice: readonly string[];
}

/**
 * Weighs every sample of a dataset by a signal that each of them remembers, and keeps the weights as its newest snapshot.
 *
 * Throws `dataset_not_found`, `unsuitable_weighting` (also for a dataset whose samples are all deleted), and `unsuitable_signal` where a sample lacks the signal, naming those
 * that all samples have.
 */
export async function weighDataset(
  { rankers, store }: { rankers: Rankers; store: Store },
  dataset: string,
  request: WeightingRequest,
): Promise<DatasetWeighting> {
  const options = weighOptions(request);
  await readDataset(store, dataset);
  const scores = await readScores(store, dataset, request.signal);
  const { weights, diagnostics } = weigh(Float64Array.from(scores.values), options);
  const snapshot = await store.writeSnapshot(
    dataset,
    { ids: scores.ids, weights },
    {
      weighting: { ...request, ...options },
      models: [...scores.models],
      losses: [...scores.losses],
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
  readonly values: number[];
  readonly models: Set<string>;
  readonly losses: Set<string>;
}

async function readScores(store: Store, dataset: string, signal: SignalName): Promise<Scores> {
  const scores: Scores = { ids: [], values: [], models: new Set(), losses: new Set() };
  const having = new Map<string, number>();
  let samples = 0;
  for await (const chunk of store.scanSamples(dataset)) {
    for (const { id, record } of chunk) {
      samples += 1;
      for (const name of record.signals.keys()) having.set(name, (having.get(name) ?? 0) + 1);
      const value = record.signals.get(signal);
      if (value === undefined) continue;
      scores.ids.push(id);
      scores.values.push(value);
      scores.models.add(record.model);
      scores.losses.add(record.loss);
    }
  }
  if (samples === 0)
    throw new AssayError("unsuitable_weighting", { detail: `Dataset ${dataset} holds no samples to weigh` });
  if (scores.ids.length < samples) {
    const common = SIGNALS.filter((name) => having.get(name) === samples);
    throw new AssayError("unsuitable_signal", {
      detail: `${samples - scores.ids.length} of ${samples} samples were scored without ${signal}; all of them have: ${common.join(", ") || "no signal in common"}`,
      faults: [{ path: "/weighting/signal", message: "is not remembered of every sample" }],
    });
  }
  return scores;
}

function adviceOnMixture({ models, losses }: Scores, rankers: Rankers): string[] {
  const advice: string[] = [];
  if (models.size > 1)
    advice.push(
      `The samples were scored by ${models.size} model versions, whose signals do not compare: ${[...models].join(", ")}.`,
    );
  if (losses.size > 1)
    advice.push(`The samples were scored under ${losses.size} losses: ${[...losses].join(", ")}.`);
  const stale = [...models].filter(staleness(rankers));
  if (stale.length > 0)
    advice.push(
      `Some samples were scored by a model that is not served any more (${stale.join(", ")}): score them again.`,
    );
  return advice;
}
