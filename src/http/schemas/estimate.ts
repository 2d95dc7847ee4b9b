import { z } from "zod";
import { ESTIMATORS } from "../../scoring/estimate/estimate.js";
import { extraNameSchema } from "../../scoring/requests/names.js";

/** Most samples of one request, and most quantities. */
const SAMPLES_MAX = 100_000;
const VALUES_MAX = 16;

/** Bounds that keep squares and products of what is posted finite. */
const VALUE_MAX = 1e12;
const LOG_MAX = 1e6;
const PROBABILITY_MIN = 1e-12;

const logs = z.array(z.number().min(-LOG_MAX).max(LOG_MAX)).min(1).max(SAMPLES_MAX);

/** The body of `POST /v1/estimate`. */
export const estimateBodySchema = z
  .strictObject({
    values: z
      .record(extraNameSchema, z.array(z.number().min(-VALUE_MAX).max(VALUE_MAX)).min(1).max(SAMPLES_MAX))
      .refine((values) => Object.keys(values).length > 0, "needs a list of values")
      .refine(
        (values) => Object.keys(values).length <= VALUES_MAX,
        `has more than ${VALUES_MAX} lists of values`,
      )
      .describe(
        "For each quantity, by a name of yours, the values of the samples (N): a loss, a click, a correct answer",
      ),
    inclusion_probabilities: z
      .array(z.number().min(PROBABILITY_MIN).max(1))
      .min(1)
      .max(SAMPLES_MAX)
      .optional()
      .describe(
        "(N) The chance that the sample was included, each by itself: `probability` of a selection by `poisson`. Send these, or `log_p` and `log_q`.",
      ),
    population: z
      .int()
      .min(1)
      .optional()
      .describe(
        "With `inclusion_probabilities`: how many samples there were to choose from. Default: it is estimated too.",
      ),
    log_p: logs.optional().describe("(N) Logarithm of the sample's density in the population you ask about"),
    log_q: logs.optional().describe("(N) Logarithm of its density where it was drawn"),
    normalised: z
      .boolean()
      .optional()
      .describe(
        "With `log_p` and `log_q`: both densities integrate to 1. Default: false; each may lack a constant.",
      ),
  })
  .check(({ value, issues }) => {
    const { inclusion_probabilities: included, population, log_p, log_q, normalised } = value;
    const add = (field: string, message: string): void => {
      issues.push({ code: "custom", message, path: [field], input: value });
    };
    const hasLogs = log_p !== undefined || log_q !== undefined;
    if (included === undefined && !hasLogs)
      add("inclusion_probabilities", "is needed, or log_p and log_q in its place");
    if (included !== undefined && hasLogs)
      add("inclusion_probabilities", "cannot come with log_p and log_q: send one or the other");
    if (hasLogs && (log_p === undefined || log_q === undefined))
      add(log_p === undefined ? "log_p" : "log_q", "is needed: log_p and log_q come together");
    if (population !== undefined && included === undefined)
      add("population", "needs inclusion_probabilities");
    if (normalised !== undefined && !hasLogs) add("normalised", "needs log_p and log_q");
  });

export const estimateAnswerSchema = z
  .object({
    estimator: z
      .enum(ESTIMATORS)
      .describe(
        "`horvitz_thompson`: Σ x/(Mπ), unbiased. `hajek`: Σ (x/π)/Σ (1/π). `importance`: mean of x p/q, unbiased. `self_normalised`: Σ wx/Σw with w = p/q.",
      ),
    samples: z.int().describe("N"),
    estimates: z
      .array(
        z.object({
          name: z.string(),
          mean: z.number(),
          standard_error: z.number(),
          interval: z.array(z.number()).describe("[low, high]: mean ± 1.96 standard errors"),
          plain_mean: z.number().describe("The mean of the values without weights, for comparison"),
        }),
      )
      .describe("In the order of `values`"),
    diagnostics: z.object({
      effective_sample_size: z.number().describe("(Σw)²/Σw²"),
      max_weight: z.number().describe("The largest weight as a fraction of all"),
      pareto_k: z
        .number()
        .nullable()
        .describe("Shape of the tail of the weights; null if it cannot be fitted"),
      pareto_k_threshold: z
        .number()
        .nullable()
        .describe("The estimates are reliable while `pareto_k` is below this"),
      advice: z.array(z.string()).describe("Sentences to read before you use the estimates"),
    }),
  })
  .describe("Estimated means, and what to think of them");
