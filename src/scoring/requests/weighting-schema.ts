import { z } from "zod";
import { SCHEMES } from "../../importance/schemes.js";
import { SIGNALS } from "../../importance/types.js";
import { NORMALISATIONS, ROLES, WEIGH_DEFAULTS } from "../../importance/weigh-options.js";
import { DEFAULT_WEIGHTING, type WeightingRequest } from "./weighting.js";

const mixSchema = z
  .array(z.strictObject({ signal: z.enum(SIGNALS), share: z.number().positive() }))
  .min(1)
  .max(SIGNALS.length)
  .describe("In place of signal: several signals, whose ranks are averaged by their shares");

const weightingFields = z
  .strictObject({
    signal: z.enum(SIGNALS).optional(),
    mix: mixSchema.optional(),
    scheme: z
      .enum(SCHEMES)
      .default(DEFAULT_WEIGHTING.scheme)
      .describe(
        "`proportional` ∝ s^alpha, `softmax` ∝ e^(s/temperature), `rank`, `inverse` ∝ 1/(s+epsilon), `uniform`, `unit_gradient` ∝ 1 + lambda/max(s, epsilon) of `grad_norm`",
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
    epsilon: z
      .number()
      .positive()
      .optional()
      .describe(`Of \`inverse\` and \`unit_gradient\`; default ${WEIGH_DEFAULTS.epsilon}`),
    lambda: z.number().min(0).optional().describe(`Of \`unit_gradient\`; default ${WEIGH_DEFAULTS.lambda}`),
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
  .check(({ value, issues }) => {
    if ((value.signal === undefined) === (value.mix === undefined))
      issues.push({ code: "custom", message: "needs either signal or mix", input: value });
  })
  .meta({ id: "Weighting", description: "How a signal, or a mix of several, becomes weights" });

/** A weighting as it is posted or named on the command line. */
export const weightingSchema = weightingFields as typeof weightingFields & z.ZodType<WeightingRequest>;
