import { type KeptSnapshot, parseSnapshot } from "../codec/stored.js";
import { bytes, list, number, orNull, pairsOf, type Reply } from "./reply.js";

/** Some samples of a dataset in their stored form, and the state of the dataset at the same moment. */
export interface FoundSamples {
  readonly incarnation: string;
  /** Number of the dataset's shapes. */
  readonly shapes: number;
  readonly snapshot: KeptSnapshot | null;
  /** A packed list: see `readPackedList`. */
  readonly stored: Buffer;
}

export const foundSamples: Reply<FoundSamples> = (answer) => {
  const [incarnation, shapes, snapshot, stored] = list(answer);
  return {
    incarnation: bytes(incarnation).toString(),
    shapes: number(shapes),
    snapshot: orNull((text) => parseSnapshot(bytes(text).toString()))(snapshot),
    stored: bytes(stored),
  };
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
}

export const foundDataset: Reply<FoundDataset> = (answer) => {
  const [fields, shapes, counts] = list(answer);
  return { fields: hash(fields), shapes: hash(shapes), counts: orNull(countsByShape)(counts) };
};

/** A hash with fields and values that are text. */
export const hash: Reply<ReadonlyMap<string, string>> = (answer) => new Map(pairsOf(text, text)(answer));

/** The incarnation of a dataset and the snapshot version that was taken. */
export const takenVersion: Reply<{ incarnation: Buffer; version: number }> = (answer) => {
  const [incarnation, version] = list(answer);
  return { incarnation: bytes(incarnation), version: number(version) };
};

const text: Reply<string> = (answer) => bytes(answer).toString("utf8");

const countsByShape: Reply<readonly number[]> = (answer) => {
  const counts: number[] = [];
  for (const [shape, samples] of hash(answer)) counts[Number(shape)] = Number(samples);
  return counts;
};
