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
    "`loss_gradient`: the mean of the samples' loss gradients ∇ℓ. `mean_direction`: E[I], the mean of I = ∇ℓ/‖∇ℓ‖, with I = 0 if ∇ℓ = 0.",
  );
const lossSchema = z
  .enum(LOSSES)
  .optional()
  .describe(
    "Default: the loss of the model's task. With `pairwise` and `listwise`, each sample takes its share of its group's gradient.",
  );

/** The body of `PUT /v1/directions/{direction}` as JSON. */
export function directionBodySchema(limits: Limits) {
  return z.strictObject({
    kind: kindSchema,
    model: modelNameSchema.optional(),
    loss: lossSchema,
    samples: z
      .array(sampleSchema(limits))
      .min(1)
      .max(limits.samplesMax)
      .describe("Each sample needs a label"),
  });
}

/** The query of a request that streams samples as JSON lines. */
export const directionQuerySchema = z.strictObject({
  kind: kindSchema
    .optional()
    .describe(
      "Kind of the direction. Required with JSON lines, and only for them: a JSON body has the field itself.",
    ),
  model: modelNameSchema
    .optional()
    .describe("Name of a model folder; default: the default model. Only for JSON lines."),
  loss: lossSchema.describe("Default: the loss of the model's task. Only for JSON lines."),
});

export const SCALE_MEDIA_TYPE = "application/octet-stream";

export const directionSchema = z
  .object({
    name: z.string(),
    kind: kindSchema,
    model: z.object({ name: z.string(), version: z.string() }).describe("The model that it was made with"),
    gradient_scope: z
      .string()
      .describe(
        "The parameters that it is over, as the model's `gradient_scope` names them. A model with another scope cannot use it.",
      ),
    loss: z.string(),
    samples: z.number().int(),
    zero_gradients: z
      .number()
      .int()
      .describe("Number of samples whose loss gradient is 0. The kind `loss_gradient` checks only ∂ℓ/∂z."),
    norm: z.number().describe("‖v‖, computed in float64"),
    preconditioned: z
      .boolean()
      .describe("Whether its entries were multiplied by a vector: `PUT /v1/directions/{direction}/scale`"),
    coherence: z
      .number()
      .nullable()
      .describe(
        "For `mean_direction`, ‖E[I]‖ in [0,1]: 1 if all gradients point the same way. Otherwise null.",
      ),
    bytes: z.number().int().describe("Size of the vector, which is kept in float32"),
    created_at: timeSchema,
    stale: z
      .boolean()
      .describe(
        "True if no served model has the weights and the gradient scope that the direction was made with. A request that scores with it is then refused.",
      ),
  })
  .meta({ id: "Direction", description: "A vector in parameter space, without its entries" });

export const directionListSchema = z
  .object({
    directions: z.array(directionSchema),
    next_cursor: z
      .string()
      .nullable()
      .describe("Send it as `cursor` for the next page; null on the last page"),
  })
  .describe("A page of directions, in the order of their names");
