import type { DatasetPorts, Hooks } from "../scoring/datasets/long-work.js";
import {
  type DatasetSelection,
  type SelectInput,
  selectFromDataset,
} from "../scoring/datasets/select-dataset.js";
import { type DatasetWeighting, type WeighInput, weighDataset } from "../scoring/datasets/weigh-dataset.js";
import { countDataset, type DatasetHistograms, type HistogramInput } from "../scoring/looks/histograms.js";
import { type RankedSamples, type RankInput, rankSamples } from "../scoring/looks/rank-samples.js";
import { type DatasetSlices, type SliceInput, sliceDataset } from "../scoring/looks/slices.js";
import { type DatasetNoise, findSuspects, type NoiseInput } from "../scoring/noise/find-suspects.js";

/** What each kind of job takes and gives. Both pass between threads, so they hold plain values only. */
interface Jobs {
  readonly weigh: { readonly input: WeighInput; readonly result: DatasetWeighting };
  readonly select: { readonly input: SelectInput; readonly result: DatasetSelection };
  readonly noise: { readonly input: NoiseInput; readonly result: DatasetNoise };
}

/** The same for looks at a dataset, which are answered at once. */
interface Looks {
  readonly rank: { readonly input: RankInput; readonly result: RankedSamples };
  readonly count: { readonly input: HistogramInput; readonly result: DatasetHistograms };
  readonly slice: { readonly input: SliceInput; readonly result: DatasetSlices };
}

type Works = Jobs & Looks;
export type JobKind = keyof Jobs;
export type LookKind = keyof Looks;
export type WorkKind = keyof Works;
export type WorkInput<K extends WorkKind = WorkKind> = Works[K]["input"];
export type WorkResult<K extends WorkKind = WorkKind> = Works[K]["result"];
export type JobInput<K extends JobKind = JobKind> = WorkInput<K>;
export type JobResult<K extends JobKind = JobKind> = WorkResult<K>;

/** The use case of each kind of work that runs in a thread of its own. */
export const WORKS: {
  readonly [K in WorkKind]: (
    ports: DatasetPorts,
    input: WorkInput<K>,
    hooks: Hooks,
  ) => Promise<WorkResult<K>>;
} = {
  weigh: weighDataset,
  select: selectFromDataset,
  noise: findSuspects,
  rank: rankSamples,
  count: countDataset,
  slice: sliceDataset,
};
