import type { z } from "zod";
import type { DatasetNoise } from "../scoring/noise/find-suspects.js";
import type { noiseAnswerSchema } from "./schemas/noise.js";

export function renderNoise({
  rates,
  used,
  wrong,
  withoutLabel,
  withoutEvidence,
  planted,
  suspects,
  advice,
  ...noise
}: DatasetNoise): z.infer<typeof noiseAnswerSchema> {
  return {
    ...noise,
    rates:
      rates?.map(({ trueLabel, ...rate }) => ({
        true_label: trueLabel,
        ...rate,
        used: used && (trueLabel === 0 ? used.e0 : used.e1),
      })) ?? null,
    wrong_labels: wrong && { ...wrong },
    without_label: withoutLabel,
    without_evidence: withoutEvidence,
    planted: planted && { ...planted, recall: planted.recall.map((each) => ({ ...each })) },
    suspects: suspects.map(({ suggestedLabel, suggestedProbability, reason, ...suspect }) => ({
      ...suspect,
      suggested_label: suggestedLabel,
      suggested_probability: suggestedProbability,
      reason,
    })),
    advice: [...advice],
  };
}
