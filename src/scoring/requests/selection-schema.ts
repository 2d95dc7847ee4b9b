import { z } from "zod";
import {
  SELECTION_DEFAULTS,
  SELECTION_NUMBERS,
  type SelectionOptions,
  SIZE_MAX,
} from "../../importance/selection/rules.js";
import { SELECTIONS } from "../../importance/selection/types.js";
import { SIGNALS } from "../../importance/types.js";
import { namesOf } from "../../importance/weigh-options.js";
import { EXTRAS_PREFIX } from "../datasets/keep.js";
import type { SampleLimits } from "./limits.js";
import { idSchema, sourceSchema } from "./names.js";
import { isSignal, STRATA, WEIGHT_SIGNAL } from "./selection.js";
import { numberField } from "./weighting-schema.js";

/** Most ids that a selection leaves out by name. */
const EXCLUDED_MAX = 1_000_000;
/** Most ranges of a filter. */
const RANGES_MAX = 8;
/** Most characters of the name of a column, of a stratum, and of a seed. */
const NAME_CHARS_MAX = 256;

const columnSchema = z
  .string()
  .max(NAME_CHARS_MAX)
  .refine(
    (name) => isSignal(name) || name === WEIGHT_SIGNAL || name.startsWith(EXTRAS_PREFIX),
    `must be ${WEIGHT_SIGNAL}, ${EXTRAS_PREFIX}NAME or one of ${SIGNALS.join(", ")}`,
  );

const filterSchema = z
  .strictObject({
    label: z.number().optional().describe("Only samples with this label"),
    source: sourceSchema.optional(),
    ranges: z
      .array(z.strictObject({ column: columnSchema, min: z.number().optional(), max: z.number().optional() }))
      .max(RANGES_MAX)
      .optional()
      .describe(
        "Only samples whose signal, extra or weight lies in the range, ends included; either end may be left out",
      ),
  })
  .describe("Which samples can be selected. By default all.");

type NumberName = keyof typeof SELECTION_NUMBERS;
type NumberFields = {
  readonly [Name in NumberName]: z.ZodExactOptional<z.ZodType<SelectionOptions[Name]>>;
};

/** One field for each number in the table of options. */
function numberFields(): NumberFields;
function numberFields(): object {
  return Object.fromEntries(
    namesOf(SELECTION_NUMBERS).map((name) => [name, numberField(SELECTION_NUMBERS[name])]),
  );
}

/** A selection as it is posted. */
export function selectionSchema(limits: SampleLimits) {
  return z
    .strictObject({
      method: z
        .enum(SELECTIONS)
        .describe(
          "`top` and `bottom`: the largest and smallest scores. `sample`: draws with replacement in proportion to the scores. `poisson`: independent draws without replacement. `infobatch`: leaves out a share of the samples below the mean score. `active`: the largest scores among samples without a label. `k_center` and `facility_location` select for diversity, by the embeddings that the dataset keeps (`PUT /v1/datasets/{dataset}`).",
        ),
      size: z.int().min(1).max(SIZE_MAX).optional().describe("Samples to select; draws with `sample`"),
      share: z
        .number()
        .gt(0)
        .max(1)
        .optional()
        .describe(
          "In place of `size`: a fraction of the candidates, rounded to the nearest number, at least 1",
        ),
      signal: columnSchema
        .optional()
        .describe(
          `The score: a signal, \`${EXTRAS_PREFIX}NAME\`, or \`${WEIGHT_SIGNAL}\` of the newest snapshot. Without it, \`sample\` and \`poisson\` give every sample the same chance; the other methods need it. Samples without the score are left out and counted.`,
        ),
      stratify_by: z
        .enum(STRATA)
        .optional()
        .describe(
          "Selects from each class, group or source by itself: in proportion to its candidates, or as `quotas` say. Samples without it are a stratum of their own.",
        ),
      quotas: z
        .record(z.string().max(NAME_CHARS_MAX), z.int().min(0).max(SIZE_MAX))
        .optional()
        .describe(
          "In place of `size`: how many to select from each stratum, by its name. The name of a group is its digest. Strata that are not named give none.",
        ),
      filter: filterSchema.optional(),
      exclude: z.array(idSchema(limits)).max(EXCLUDED_MAX).optional().describe("Ids that are not selected"),
      seed: z
        .union([z.int().min(0).max(Number.MAX_SAFE_INTEGER), z.string().max(NAME_CHARS_MAX)])
        .default(0)
        .describe("The same request about the same samples with the same seed gives the same selection"),
      ...numberFields(),
      diverse: z
        .boolean()
        .exactOptional()
        .describe(
          `\`active\` selects for diversity among the largest scores, by the embeddings that the dataset keeps; default ${SELECTION_DEFAULTS.diverse}`,
        ),
    })
    .meta({ id: "Selection", description: "Which samples to select, and how" });
}
