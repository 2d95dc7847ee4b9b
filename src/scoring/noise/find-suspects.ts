import { setImmediate as turn } from "node:timers/promises";
import { bySuspicion, doubtsOf, estimateNoise, type Noise } from "../../importance/noise/estimate-noise.js";
import { type PlantedRecall, plantedRecall } from "../../importance/noise/planted.js";
import type { DatasetPorts, Hooks } from "../datasets/long-work.js";
import { packedIdAt } from "../datasets/packed-ids.js";
import { hashOfIds, readDataset, requireSameDataset } from "../datasets/remembered.js";
import { type Evidence, type NoiseColumns, readEvidence } from "./evidence.js";
import { adviceOnNoise, methodReason, suspectReason } from "./reasons.js";

/** What to look for. Plain values only. */
export interface NoiseInput {
  readonly dataset: string;
  /** Null: the best that the dataset has. */
  readonly evidence: Evidence | null;
  /** Name of the checkpoint of held-out logits. */
  readonly checkpoint: string;
  /** Ids of samples whose labels were flipped on purpose. */
  readonly planted: readonly string[];
  /** The share of the planted ids that the threshold finds. */
  readonly recall: number;
  /** Most suspects to answer. */
  readonly limit: number;
}

/** One label that may be wrong. */
export interface Suspect {
  readonly id: string;
  readonly label: number;
  readonly source: string | null;
  /** See `Noise`. */
  readonly noise: number;
  /** The model's probability of the label. */
  readonly confidence: number;
  /** The likelier label, and how likely it is. */
  readonly suggestedLabel: number;
  readonly suggestedProbability: number;
  /** In words. */
  readonly reason: string;
}

/** The labels of a dataset that may be wrong. */
export interface DatasetNoise extends Pick<Noise, "method" | "rates" | "used" | "wrong"> {
  readonly dataset: string;
  readonly evidence: Evidence;
  /** Why this method, in words. */
  readonly reason: string;
  /** Samples ranked. */
  readonly samples: number;
  readonly withoutLabel: number;
  readonly withoutEvidence: number;
  readonly planted: (PlantedRecall & { readonly unknown: number }) | null;
  /** The most suspicious first. */
  readonly suspects: readonly Suspect[];
  readonly advice: readonly string[];
}

/** The bootstrap draws the same parts each time, so the same samples give the same interval. */
const SEED = 0;
const HASHED = "The ids are keyed hashes: a look-up of your own ids answers the hash of each, `kept_id`.";
/** The share of the work that is done once the samples are read. */
const READING = 0.8;

/**
 * Ranks the labels of a dataset by the chance that they are wrong, and estimates how many are.
 *
 * Throws `dataset_not_found`, and `unsuitable_signal` if no sample has a label of 0 or 1 and the evidence.
 */
export async function findSuspects(
  { store }: Pick<DatasetPorts, "store">,
  { dataset, evidence, checkpoint, planted, recall, limit }: NoiseInput,
  { signal, onProgress }: Hooks,
): Promise<DatasetNoise> {
  const summary = await readDataset(store, dataset);
  const columns = await readEvidence(store, { dataset, evidence, checkpoint }, (read) => {
    signal.throwIfAborted();
    onProgress(READING * Math.min(1, read / summary.samples));
  });
  await requireSameDataset(store, summary);
  await turn();
  signal.throwIfAborted();
  const found = estimateNoise(columns, SEED);
  await turn();
  signal.throwIfAborted();
  const ranking = bySuspicion(found.noise, doubtsOf(columns));
  const keptId = await hashOfIds(store, summary);
  const rows = plantedRows(columns, keptId === null ? planted : planted.map(keptId));
  return {
    dataset,
    evidence: columns.evidence,
    method: found.method,
    reason: methodReason(found),
    rates: found.rates,
    used: found.used,
    wrong: found.wrong,
    samples: columns.labels.length,
    withoutLabel: columns.withoutLabel,
    withoutEvidence: columns.withoutEvidence,
    planted:
      rows.length === 0
        ? null
        : {
            ...plantedRecall(found.noise, columns.labels, rows, recall),
            unknown: new Set(planted).size - rows.length,
          },
    suspects: suspectsOf(columns, found, ranking.subarray(0, limit)),
    advice: [
      ...adviceOnNoise(columns, found, { planted: planted.length, found: rows.length }),
      ...(summary.hashedIds ? [HASHED] : []),
    ],
  };
}

/** The rows of the planted ids that were ranked. */
function plantedRows({ ids, labels }: NoiseColumns, planted: readonly string[]): Uint32Array {
  if (planted.length === 0) return new Uint32Array();
  const wanted = new Set(planted);
  const idAt = packedIdAt(ids);
  const rows: number[] = [];
  for (let row = 0; row < labels.length; row++) if (wanted.has(idAt(row))) rows.push(row);
  return Uint32Array.from(rows);
}

function suspectsOf(columns: NoiseColumns, found: Noise, rows: Uint32Array): Suspect[] {
  const { ids, labels, probabilities, sources, sourceNames } = columns;
  const idAt = packedIdAt(ids);
  return Array.from(rows, (row) => {
    const label = labels[row] as number;
    const p = probabilities[row] as number;
    const noise = found.noise[row] as number;
    const confidence = label === 1 ? p : 1 - p;
    const isOther = noise > 0.5;
    const suspect = {
      id: idAt(row),
      label,
      source: sourceNames[sources[row] as number] ?? null,
      noise,
      confidence,
      suggestedLabel: isOther ? 1 - label : label,
      suggestedProbability: isOther ? noise : 1 - noise,
    };
    return { ...suspect, reason: suspectReason(suspect, columns.evidence, found) };
  });
}
