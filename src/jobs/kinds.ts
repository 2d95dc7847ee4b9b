import type { DatasetPorts, Hooks } from "../scoring/datasets/long-work.js";
import { type DatasetWeighting, type WeighInput, weighDataset } from "../scoring/datasets/weigh-dataset.js";

/** What each kind of job takes and gives. Both pass between threads, so they hold plain values only. */
interface Kinds {
  readonly weigh: { readonly input: WeighInput; readonly result: DatasetWeighting };
}

export type JobKind = keyof Kinds;
export type JobInput<K extends JobKind = JobKind> = Kinds[K]["input"];
export type JobResult<K extends JobKind = JobKind> = Kinds[K]["result"];

/** The use case of each kind. */
export const JOB_KINDS: {
  readonly [K in JobKind]: (ports: DatasetPorts, input: JobInput<K>, hooks: Hooks) => Promise<JobResult<K>>;
} = { weigh: weighDataset };
