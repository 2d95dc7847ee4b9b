import type { LossName } from "../../importance/types.js";
import type { ModelDescription } from "../../ranker/port.js";
import type { OutputsKey, Store } from "../../store/port.js";
import { modelId } from "../requests/model-id.js";
import type { Sample } from "../requests/sample.js";
import { type SignalColumns, signalsAt } from "./columns.js";

/** Remembers a scored batch under its ids, all of it or nothing. */
export async function keepSamples(
  store: Store,
  dataset: string,
  model: ModelDescription,
  loss: LossName,
  directions: readonly string[],
  samples: readonly Sample[],
  keys: readonly OutputsKey[],
  columns: SignalColumns,
): Promise<void> {
  const scoredAtMs = Date.now();
  const entries = samples.map((sample, index) => {
    return {
      id: sample.id as string, // checkIds refused a dataset's sample without one
      record: {
        outputsKey: keys[index] as OutputsKey,
        model: modelId(model),
        loss,
        directions,
        label: sample.label ?? null,
        group: sample.group ?? null,
        signals: signalsAt(columns, index),
        scoredAtMs,
      },
    };
  });
  await store.writeSamples(dataset, entries);
}
