import { signalsAt } from "../../importance/columns.js";
import type { LossName, SignalColumns } from "../../importance/types.js";
import { type ModelDescription, modelId } from "../../ranker/port.js";
import type { OutputsKey, SampleStore } from "../../store/port.js";
import type { Sample } from "../requests/sample.js";

/** What a dataset is to remember of a scored batch: N samples with their ids, the keys of their outputs, and their signals. */
export interface KeptBatch {
  readonly dataset: string;
  readonly ids: readonly string[]; // (N)
  readonly samples: readonly Sample[]; // (N)
  readonly keys: readonly OutputsKey[]; // (N)
  readonly columns: SignalColumns; // (N)
  readonly model: ModelDescription;
  readonly loss: LossName;
  readonly directions: readonly string[];
}

/** Remembers a scored batch under its ids: either all of it or nothing. */
export async function keepSamples(store: SampleStore, batch: KeptBatch): Promise<void> {
  const { dataset, ids, samples, keys, columns, loss, directions } = batch;
  const scoredAtMs = Date.now();
  const model = modelId(batch.model);
  const entries = samples.map(({ label = null, group = null }, index) => {
    const record = {
      outputsKey: keys[index] as OutputsKey,
      model,
      loss,
      directions,
      label,
      group,
      signals: signalsAt(columns, index),
      scoredAtMs,
    };
    return { id: ids[index] as string, record };
  });
  await store.writeSamples(dataset, entries);
}
