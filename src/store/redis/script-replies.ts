import { corrupt } from "../codec/bytes.js";
import { type KeptSnapshot, parseFields } from "../codec/snapshot.js";
import type { TrainingCheckpoint } from "../dataset-records.js";
import { bytes, list, number, orNull, pairsOf, type Reply } from "./reply.js";

const text: Reply<string> = (answer) => bytes(answer).toString("utf8");

/** A hash with fields and values that are text. */
export const hash: Reply<ReadonlyMap<string, string>> = (answer) => new Map(pairsOf(text, text)(answer));

/** The kept snapshots, the oldest first. */
export const keptSnapshots: Reply<readonly KeptSnapshot[]> = (answer) => {
  const [kept, removed] = list(answer);
  const removedFrom = hash(removed);
  return [...hash(kept)]
    .map(([version, json]) => parseFields(Number(version), json, Number(removedFrom.get(version) ?? 0)))
    .sort((a, b) => a.version - b.version);
};

/** Some samples of a dataset in their stored form, and the state of the dataset at the same moment. */
export interface FoundSamples {
  readonly incarnation: string;
  /** Number of the dataset's shapes. */
  readonly shapes: number;
  readonly snapshots: readonly KeptSnapshot[];
  /** A packed list: see `readPackedList`. */
  readonly stored: Buffer;
}

export const foundSamples: Reply<FoundSamples> = (answer) => {
  const [incarnation, shapes, snapshots, stored] = list(answer);
  return {
    incarnation: text(incarnation),
    shapes: number(shapes),
    snapshots: keptSnapshots(snapshots),
    stored: bytes(stored),
  };
};

/** The samples were written (`differing` is null), or some are stored otherwise than the writer expects. */
export interface WrittenOrDiffering {
  readonly incarnation: string;
  readonly differing: {
    /** Number of the dataset's shapes. */
    readonly shapes: number;
    /** A packed list: see `readPackedList`. */
    readonly stored: Buffer;
    /** The histories of the same samples: a packed list. */
    readonly histories: Buffer;
    readonly checkpoints: readonly TrainingCheckpoint[];
  } | null;
}

export const writtenOrDiffering: Reply<WrittenOrDiffering> = (answer) => {
  const [incarnation, shapes, stored, histories, checkpoints] = list(answer);
  const differing =
    stored === undefined
      ? null
      : {
          shapes: number(shapes),
          stored: bytes(stored),
          histories: bytes(histories),
          checkpoints: checkpointList(checkpoints),
        };
  return { incarnation: text(incarnation), differing };
};

/** The hash `checkpoints` as a list in the order of the numbers. */
export const checkpointList: Reply<readonly TrainingCheckpoint[]> = (answer) => {
  const checkpoints: TrainingCheckpoint[] = [];
  for (const [name, place] of hash(answer)) {
    const [number, step] = place.split(" ").map(Number);
    if (number === undefined || step === undefined) throw corrupt(`the checkpoint "${name}" lacks its step`);
    checkpoints[number] = { name, step };
  }
  return checkpoints;
};

/** All samples of some buckets. */
export interface FoundBuckets {
  /** Number of the dataset's shapes. */
  readonly shapes: number;
  /** Ids and stored samples. */
  readonly samples: readonly (readonly [Buffer, Buffer])[];
}

export const foundBuckets: Reply<FoundBuckets> = (answer) => {
  const [shapes, ...samples] = list(answer);
  return { shapes: number(shapes), samples: pairsOf(bytes, bytes)(samples) };
};

export interface FoundDataset {
  readonly fields: ReadonlyMap<string, string>;
  /** Text → number. */
  readonly shapes: ReadonlyMap<string, string>;
  /** Number of samples of each shape, by the shape's number; null if they were not counted. */
  readonly counts: readonly number[] | null;
  readonly snapshots: readonly KeptSnapshot[];
}

export const foundDataset: Reply<FoundDataset> = (answer) => {
  const [fields, shapes, counts, snapshots] = list(answer);
  return {
    fields: hash(fields),
    shapes: hash(shapes),
    counts: orNull(countsByShape)(counts),
    snapshots: keptSnapshots(snapshots),
  };
};

const countsByShape: Reply<readonly number[]> = (answer) => {
  const counts: number[] = [];
  for (const [shape, samples] of hash(answer)) counts[Number(shape)] = Number(samples);
  return counts;
};
