import type { DatasetSummary } from "../../store/dataset-records.js";
import type { Store } from "../../store/port.js";
import { readDataset } from "../datasets/remembered.js";
import { buildIndex, type DatasetIndex } from "./dataset-index.js";

/** The indexes of datasets that are looked at. */
export interface Indexes {
  /**
   * The index of the dataset. The first call for a dataset waits until it is built. If the dataset has changed since, a later call
   * waits for a new one if that is quick. Otherwise it answers the index that is there, and has a new one built once this one is
   * older than `FRESH_MS`. Throws `dataset_not_found`.
   */
  of(dataset: string): Promise<DatasetIndex>;
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

  return {
    async of(dataset) {
      const summary = await readDataset(store, dataset).catch((error: unknown) => {
        indexes.delete(dataset);
        throw error;
      });
      const known = indexes.get(dataset);
      if (known === undefined) return build(summary);
      indexes.delete(dataset); // The map is in the order of use.
      indexes.set(dataset, known);
      if (!hasChanged(known, summary)) return known;
      const isQuick = known.tookMs < QUICK_MS;
      const ageMs = Date.now() - known.builtAtMs;
      if (ageMs < FRESH_MS && !isQuick) return known;
      const fresh = build(summary);
      if (ageMs >= STALE_MS || isQuick) return fresh;
      fresh.catch(() => undefined); // the next call that needs it gets the error
      return known;
    },
  };
}

/** A change within the millisecond in which the building began may be missing from the index. */
function hasChanged(index: DatasetIndex, { updatedAtMs }: DatasetSummary): boolean {
  return index.updatedAtMs !== updatedAtMs || index.builtAtMs <= updatedAtMs;
}
