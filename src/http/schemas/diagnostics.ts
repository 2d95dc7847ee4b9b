import { z } from "zod";

export const diagnosticsSchema = z.object({
  effective_sample_size: z.number().nullable().describe("1/Σw², with the weights scaled to sum to 1"),
  max_weight: z.number().nullable(),
  pareto_k: z
    .number()
    .nullable()
    .describe("Shape of the tail of the weights before `clip`; null if it cannot be fitted"),
  pareto_k_threshold: z
    .number()
    .nullable()
    .describe("The weights are reliable while `pareto_k` is below this"),
  tau: z.number().nullable().describe("√(N Σp²) ≥ 1: the gain of drawing samples by these weights"),
  advice: z.array(z.string()).describe("Sentences to read before you use these figures"),
});
