import { z } from "zod";
import { SCHEMES } from "../../importance/schemes.js";
import { SIGNALS } from "../../importance/types.js";
import { NORMALISATIONS, ROLES, WEIGH_DEFAULTS } from "../../importance/weigh-options.js";

export const weightingSchema = z
  .strictObject({
    signal: z.enum(SIGNALS),
    scheme: z
      .enum(SCHEMES)
      .describe(
        "`proportional` ∝ s^alpha, `softmax` ∝ e^(s/temperature), `rank`, `inverse` ∝ 1/(s+epsilon), `uniform`",
      ),
    role: z
      .enum(ROLES)
      .optional()
      .describe(
        "`multiplier` (default): multiply losses by the weight. `probability`: draw with it; each sample also gets 1/(N p).",
      ),
    alpha: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe(`Of \`proportional\`; default ${WEIGH_DEFAULTS.alpha}`),
    temperature: z
      .number()
      .positive()
      .optional()
      .describe(`Of \`softmax\`; default ${WEIGH_DEFAULTS.temperature}`),
    epsilon: z.number().positive().optional().describe(`Of \`inverse\`; default ${WEIGH_DEFAULTS.epsilon}`),
    smoothing: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(`Share of uniform weights mixed in; default ${WEIGH_DEFAULTS.smoothing}`),
    clip: z
      .number()
      .min(1)
      .nullable()
      .optional()
      .describe("Cap on weight / mean weight, which holds after normalising"),
    normalise: z
      .enum(NORMALISATIONS)
      .optional()
      .describe(
        "`sum` (default): for `.sum()` of weighted losses. `mean`: weights of mean 1, for `.mean()`.",
      ),
  })
  .meta({ id: "Weighting", description: "How a signal becomes weights" });

export const diagnosticsSchema = z.object({
  effective_sample_size: z.number().nullable().describe("1/Σw² of the weights that sum to 1"),
  max_weight: z.number().nullable(),
  pareto_k: z.number().nullable().describe("Tail of the weights; null where it cannot be fitted"),
  pareto_k_threshold: z.number().nullable().describe("The weights are trusted while pareto_k is under this"),
  tau: z.number().nullable().describe("√(N Σp²) ≥ 1: the gain of drawing by these weights"),
  advice: z.array(z.string()).describe("What to know before using these figures"),
});
