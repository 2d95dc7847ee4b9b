import { z } from "zod";
import { LOSSES } from "../../importance/types.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { directionNameSchema, modelNameSchema } from "../../scoring/requests/names.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { DIRECTION_KINDS } from "../../store/port.js";
import { timeSchema } from "./dataset.js";

export const directionParamsSchema = z.strictObject({ direction: directionNameSchema });

const kindSchema = z
  .enum(DIRECTION_KINDS)
  .describe(
    "`loss_gradient`: the mean of the samples' loss gradients ∇ℓ. `mean_direction`: E[I], the mean of I = ∇ℓ/‖∇ℓ‖, with I = 0 where ∇ℓ = 0.",
  );
const lossSchema = z
  .enum(LOSSES)
  .optional()
  .describe(
    "Default: the loss of the model's task. Of `pairwise` and `listwise`, each sample takes its share of its group's gradient.",
  );

/** The body of `PUT /v1/directions/{direction}` as JSON. */
export function directionBodySchema(limits: Limits) {
  return z.strictObject({
    kind: kindSchema,
    model: modelNameSchema.optional(),
    loss: lossSchema,
    samples: z.array(sampleSchema(limits)).min(1).max(limits.samplesMax).describe("Each with a label"),
  });
}

/** What a stream of samples says in its query. */
export const directionQuerySchema = z.strictObject({
  kind: kindSchema.optional().describe("Required with JSON lines, whose body holds nothing but samples"),
  model: modelNameSchema.optional().describe("With JSON lines"),
  loss: lossSchema.describe("With JSON lines"),
});

export const directionSchema = z
  .object({
    name: z.string(),
    kind: kindSchema,
    model: z.object({ name: z.string(), version: z.string() }).describe("The model that it was made with"),
    loss: z.string(),
    samples: z.number().int(),
    zero_gradients: z
      .number()
      .int()
      .describe("Samples whose loss gradient is 0; `loss_gradient` looks at ∂ℓ/∂z alone"),
    norm: z.number().describe("‖v‖, from sums in float64"),
    coherence: z
      .number()
      .nullable()
      .describe("Of `mean_direction`: ‖E[I]‖ in [0,1], 1 where all gradients point the same way"),
    bytes: z.number().int().describe("Of the vector, kept in float32"),
    created_at: timeSchema,
    stale: z
      .boolean()
      .describe(
        "No served model has the weights that it was made with: whoever scores against it is refused",
      ),
  })
  .meta({ id: "Direction", description: "A vector in parameter space, without its entries" });

export const directionListSchema = z
  .object({
    directions: z.array(directionSchema),
    next_cursor: z.string().nullable().describe("Pass as `cursor` for the next page"),
  })
  .describe("A page of directions, by name");
