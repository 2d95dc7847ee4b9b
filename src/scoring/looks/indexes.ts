import type { DatasetSummary } from "../../store/dataset-records.js";
import type { Store } from "../../store/port.js";
import { readDataset } from "../datasets/remembered.js";
import { buildIndex, type DatasetIndex } from "./dataset-index.js";

/** The indexes of datasets that are looked at. */
export interface Indexes {
  /**
   * The index of the dataset. The first call for a dataset waits until it is built. If the dataset has changed since, a later call
   * waits for a new one if that is quick. Otherwise it answers the index that is there, and has a new one built once this one is
   * older than `FRESH_MS`. It waits also if the index lacks what the look reads: a column, a source, or the weights of the newest
   * snapshot. Throws `dataset_not_found`.
   */
  of(dataset: string, reads?: IndexReads): Promise<DatasetIndex>;
}

/** What a look reads of an index. */
export interface IndexReads {
  readonly columns?: readonly string[];
  readonly source?: string | undefined;
}

/** An index that was built in less time than this is built again after every change, while the look waits. */
const QUICK_MS = 200;
/** Another index is used for this long before a change of the dataset has it built again. */
const FRESH_MS = 10_000;
/** An index that is older than this is not used if the dataset has changed since. */
const STALE_MS = 60_000;
/** Datasets whose indexes are kept. The one that was used longest ago goes first. */
const KEPT_MAX = 8;

export function openIndexes(store: Store): Indexes {
  const indexes = new Map<string, DatasetIndex>();
  const building = new Map<string, Promise<DatasetIndex>>();

  function build(summary: DatasetSummary): Promise<DatasetIndex> {
    const { dataset } = summary;
    const running = building.get(dataset);
    if (running !== undefined) return running;
    const built = buildIndex({ store }, summary).then((index) => {
      indexes.delete(dataset);
      indexes.set(dataset, index);
      const [oldest] = indexes.keys();
      if (indexes.size > KEPT_MAX && oldest !== undefined) indexes.delete(oldest);
      return index;
    });
    building.set(dataset, built);
    const ended = (): void => void building.delete(dataset);
    built.then(ended, ended);
    return built;
  }

  /** A building that began before the look may miss what the look reads. */
  async function buildWith(summary: DatasetSummary, reads: IndexReads): Promise<DatasetIndex> {
    const hadBegun = building.has(summary.dataset);
    const index = await build(summary);
    return hadBegun && !hasAll(index, summary, reads) ? build(summary) : index;
  }

  return {
    async of(dataset, reads = {}) {
      const summary = await readDataset(store, dataset).catch((error: unknown) => {
        indexes.delete(dataset);
        throw error;
      });
      const known = indexes.get(dataset);
      if (known === undefined) return buildWith(summary, reads);
      indexes.delete(dataset); // The map is in the order of use.
      indexes.set(dataset, known);
      if (!hasChanged(known, summary)) return known;
      const isQuick = known.tookMs < QUICK_MS;
      const suffices = !isQuick && hasAll(known, summary, reads);
      const ageMs = Date.now() - known.builtAtMs;
      if (ageMs < FRESH_MS && suffices) return known;
      if (ageMs >= STALE_MS || !suffices) return buildWith(summary, reads);
      const fresh = build(summary);
      fresh.catch(() => undefined); // the next call that needs it gets the error
      return known;
    },
  };
}

/** Whether the index has what a look reads, as far as the dataset may have it. */
function hasAll(
  index: DatasetIndex,
  { snapshot }: DatasetSummary,
  { columns = [], source }: IndexReads,
): boolean {
  if (index.snapshot !== (snapshot?.version ?? null)) return false;
  if (source !== undefined && !index.sourceNames.includes(source)) return false;
  return columns.every((name) => index.column(name) !== undefined);
}

/** A change within the millisecond in which the building began may be missing from the index. */
function hasChanged(index: DatasetIndex, { updatedAtMs, snapshot }: DatasetSummary): boolean {
  if (index.snapshot !== (snapshot?.version ?? null)) return true;
  return index.updatedAtMs !== updatedAtMs || index.builtAtMs <= updatedAtMs;
}
