import { AssayError, faultsError } from "../../errors.js";
import type { DatasetStore } from "../../store/dataset-port.js";
import type {
  SampleHistory,
  SampleShape,
  ScannedSamples,
  TrainingCheckpoint,
} from "../../store/dataset-records.js";
import { growingDoubles, growingNumbers } from "../datasets/growing.js";
import { type PackedIds, packIds } from "../datasets/packed-ids.js";

/**
 * Where the chance of each label comes from. `held_out`: logits of a model that has not seen the sample, under the checkpoint
 * that the request names. `history`: the mean probability over all checkpoints. `newest`: the newest logits.
 */
export const EVIDENCE = ["held_out", "history", "newest"] as const;
export type Evidence = (typeof EVIDENCE)[number];

/** What a dataset says of its N samples that have a hard label and evidence, in columns. */
export interface NoiseColumns {
  readonly evidence: Evidence;
  readonly ids: PackedIds; // (N)
  /** (N) The chance of label 1. */
  readonly probabilities: Float64Array;
  readonly labels: Uint8Array; // (N)
  /** (N) The number of the sample's group; a sample without a group is one of its own. */
  readonly groups: Uint32Array;
  readonly hasGroups: boolean;
  /** (N) Index in `sourceNames`. */
  readonly sources: Uint32Array;
  readonly sourceNames: readonly (string | null)[];
  /** Samples without the label 0 or 1. */
  readonly withoutLabel: number;
  /** Samples with such a label that lack the evidence. */
  readonly withoutEvidence: number;
}

/** What to read. */
export interface NoiseReading {
  readonly dataset: string;
  /** Null: the first of `EVIDENCE` that the dataset has. */
  readonly evidence: Evidence | null;
  /** Name of the checkpoint of held-out logits. */
  readonly checkpoint: string;
}

/** The loss whose samples have one logit that is a chance. */
const LOSS = "bce";

/**
 * Reads the columns of a dataset. Throws `unsuitable_signal` if no sample has a label of 0 or 1 and the evidence.
 *
 * @param onRead called with the number of samples read so far; may throw to end the reading
 */
export async function readEvidence(
  store: DatasetStore,
  { dataset, evidence: asked, checkpoint }: NoiseReading,
  onRead: (samples: number) => void,
): Promise<NoiseColumns> {
  const probabilities = growingDoubles();
  const labels = growingNumbers();
  const groups = growingNumbers();
  const sources = growingNumbers();
  const groupNumbers = new Map<string, number>();
  const sourceNumbers = new Map<string | null, number>([[null, 0]]);
  const ids: string[] = [];
  let evidence = asked;
  let lone = 0;
  let withoutLabel = 0;
  let withoutEvidence = 0;
  let read = 0;
  for await (const chunk of store.scanSamples(dataset)) {
    const checkpoints = await checkpointsOf(store, dataset, chunk, evidence);
    evidence ??= bestEvidence(checkpoints, checkpoint);
    const chanceAt = await chancesOf(store, dataset, chunk, { evidence, checkpoint });
    const rows = {
      chances: [] as number[],
      labels: [] as number[],
      groups: [] as number[],
      sources: [] as number[],
    };
    for (let row = 0; row < chunk.count; row++) {
      const label = chunk.label(row);
      if (label !== 0 && label !== 1) {
        withoutLabel++;
        continue;
      }
      const chance = chanceAt(row, label);
      if (chance === null) {
        withoutEvidence++;
        continue;
      }
      const { group, source } = chunk.record(row);
      rows.chances.push(chance);
      rows.labels.push(label);
      rows.groups.push(group === null ? lone++ : numberOf(groupNumbers, group, () => lone++));
      rows.sources.push(numberOf(sourceNumbers, source, () => sourceNumbers.size));
      ids.push(chunk.id(row));
    }
    probabilities.push(Float64Array.from(rows.chances));
    labels.push(Uint32Array.from(rows.labels));
    groups.push(Uint32Array.from(rows.groups));
    sources.push(Uint32Array.from(rows.sources));
    read += chunk.count;
    onRead(read);
  }
  if (evidence === null || ids.length === 0)
    throw nothingToRank(dataset, { read, withoutLabel, evidence, checkpoint });
  return {
    evidence,
    ids: packIds(ids.length, (index) => ids[index] as string),
    probabilities: probabilities.take(),
    labels: new Uint8Array(labels.take()),
    groups: groups.take(),
    hasGroups: groupNumbers.size > 0,
    sources: sources.take(),
    sourceNames: [...sourceNumbers.keys()],
    withoutLabel,
    withoutEvidence,
  };
}

function numberOf<Name>(numbers: Map<Name, number>, name: Name, next: () => number): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  const number = next();
  numbers.set(name, number);
  return number;
}

/** The dataset's checkpoints, read with the first chunk if they decide about the evidence. */
async function checkpointsOf(
  store: DatasetStore,
  dataset: string,
  chunk: ScannedSamples,
  evidence: Evidence | null,
): Promise<readonly TrainingCheckpoint[]> {
  if (evidence !== null || chunk.count === 0) return [];
  return (await store.readHistories(dataset, [chunk.id(0)], "kept"))?.checkpoints ?? [];
}

/** A mean over fewer checkpoints is one model's word. */
const HISTORY_MIN = 2;

function bestEvidence(checkpoints: readonly TrainingCheckpoint[], heldOut: string): Evidence {
  if (checkpoints.some(({ name }) => name === heldOut)) return "held_out";
  return checkpoints.length >= HISTORY_MIN ? "history" : "newest";
}

/** A function that gives the chance of label 1 of a chunk's sample; null if the sample lacks the evidence. */
async function chancesOf(
  store: DatasetStore,
  dataset: string,
  chunk: ScannedSamples,
  { evidence, checkpoint }: { readonly evidence: Evidence; readonly checkpoint: string },
): Promise<(row: number, label: 0 | 1) => number | null> {
  if (evidence === "newest")
    return (row, label) =>
      signalAt(chunk, row, "probability") ?? chanceOfLoss(signalAt(chunk, row, "loss"), label);
  if (evidence === "history")
    return (row, label) => {
      const confidence = signalAt(chunk, row, "mean_confidence");
      return confidence === null || label === 1 ? confidence : 1 - confidence;
    };
  const found = await store.readHistories(
    dataset,
    Array.from({ length: chunk.count }, (_, row) => chunk.id(row)),
    "kept",
  );
  const number = found?.checkpoints.findIndex(({ name }) => name === checkpoint) ?? -1;
  return (row) => {
    const history = found?.histories[row] ?? null;
    return history === null ? null : chanceAt(history, number);
  };
}

/** The chance of label 1 that gives a hard label this cross-entropy, which is −ln of the label's chance. */
function chanceOfLoss(loss: number | null, label: 0 | 1): number | null {
  if (loss === null) return null;
  const confidence = Math.exp(-loss);
  return label === 1 ? confidence : 1 - confidence;
}

/** The chance of label 1 at one checkpoint; null if its logits are not kept, or if they are of several classes. */
function chanceAt({ classes, checkpoints, logits }: SampleHistory, checkpoint: number): number | null {
  const place = checkpoints.indexOf(checkpoint);
  if (place < 0 || classes !== 1) return null;
  return 1 / (1 + Math.exp(-(logits[place] as number)));
}

function signalAt(chunk: ScannedSamples, row: number, name: string): number | null {
  const { loss, signals } = chunk.shapes[chunk.shapeOf[row] as number] as SampleShape;
  const place = signals.indexOf(name);
  return loss !== LOSS || place < 0 ? null : (chunk.signals[row * chunk.signalsMax + place] as number);
}

const LACK: Readonly<Record<Evidence, string>> = {
  held_out: "held-out logits",
  history: "the signal mean_confidence, which logits under a checkpoint give",
  newest: "the signal probability or loss",
};

function nothingToRank(
  dataset: string,
  {
    read,
    withoutLabel,
    evidence,
    checkpoint,
  }: Pick<NoiseColumns, "withoutLabel"> & {
    readonly read: number;
    readonly evidence: Evidence | null;
    readonly checkpoint: string;
  },
): AssayError {
  if (evidence === null)
    return new AssayError("unsuitable_signal", { detail: `Dataset ${dataset} has no samples` });
  if (withoutLabel === read)
    return new AssayError("unsuitable_signal", {
      detail: `None of the ${read} samples of dataset ${dataset} has the label 0 or 1, which suspects need`,
    });
  const under = evidence === "held_out" ? ` under the checkpoint ${JSON.stringify(checkpoint)}` : "";
  const message = `is ${evidence}, and no labelled sample has ${LACK[evidence]}${under} for one logit and the loss ${LOSS}`;
  return faultsError("unsuitable_signal", [{ path: "/evidence", message }]);
}
