import { z } from "zod";

export const diagnosticsSchema = z.object({
  effective_sample_size: z.number().nullable().describe("1/Σw² of the weights that sum to 1"),
  max_weight: z.number().nullable(),
  pareto_k: z.number().nullable().describe("Tail of the weights; null where it cannot be fitted"),
  pareto_k_threshold: z.number().nullable().describe("The weights are trusted while pareto_k is under this"),
  tau: z.number().nullable().describe("√(N Σp²) ≥ 1: the gain of drawing by these weights"),
  advice: z.array(z.string()).describe("What to know before using these figures"),
});
