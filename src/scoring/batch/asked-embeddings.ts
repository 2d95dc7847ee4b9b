import { modelId } from "../../ranker/port.js";
import type { EmbeddingStore, WrittenEmbeddings } from "../../store/dataset-port.js";
import type { EmbeddingOrigin, EmbeddingSettings } from "../../store/dataset-records.js";
import type { BoundPlan } from "./plan.js";

/** A plan, and the embeddings that its dataset is to keep of the samples. */
export interface EmbeddingPlan {
  readonly plan: BoundPlan;
  /** Null: the dataset keeps none, or the model gives none. */
  readonly embeddings: AskedEmbeddings | null;
  readonly advice: readonly string[];
}

interface AskedEmbeddings {
  readonly dataset: string;
  readonly origin: EmbeddingOrigin;
  readonly settings: EmbeddingSettings;
}

/** Asks the run for embeddings if the dataset of the plan keeps them. */
export async function askEmbeddings(plan: BoundPlan, store: EmbeddingStore): Promise<EmbeddingPlan> {
  const { remembered, ranker, run } = plan;
  const settings = remembered === null ? null : await store.readSettings(remembered.dataset);
  const embedding = settings?.embedding ?? null;
  if (remembered === null || embedding === null) return { plan, embeddings: null, advice: [] };
  const { model } = ranker;
  if (model.embedding === null) {
    const advice = `Dataset ${remembered.dataset} keeps embeddings, but model ${model.name} gives none, so these samples have none: make the model's graphs again with python -m assay.export graphs.`;
    return { plan, embeddings: null, advice: [advice] };
  }
  const { asked = [] } = run;
  return {
    plan: { ...plan, run: { ...run, asked: [...asked, "embedding"] } },
    embeddings: {
      dataset: remembered.dataset,
      origin: { model: modelId(model), ...model.embedding },
      settings: embedding,
    },
    advice: [],
  };
}

/** Says that embeddings were not kept, and what to do. */
export function adviceOnRoom(
  { dataset, settings: { bytesMax } }: AskedEmbeddings,
  { kept, withoutRoom }: WrittenEmbeddings,
): string[] {
  if (withoutRoom === 0) return [];
  return [
    `${withoutRoom} of ${kept + withoutRoom} embeddings were not kept, because those of dataset ${dataset} may take ${bytesMax} bytes: raise bytes_max of its embedding (PUT /v1/datasets/${dataset}), and score these samples again.`,
  ];
}
