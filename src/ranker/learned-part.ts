import { z } from "zod";
import { freeFormSchema, listOf } from "./bounded.js";
import type { LearnedDescription } from "./port.js";

/**
 * The manifest's part `learned`, which `python -m assay.learned` writes together with `learned.onnx`. The graph takes `inputs`
 * float32 (N, F) and answers `learned` (N, 1). It belongs to the weights named by `model_version`. It is kept when other weights
 * replace them.
 */
export const learnedPartSchema = z.strictObject({
  file: z.string().max(128),
  target: z.string().min(1).max(128),
  loss: z.string().max(64),
  inputs: z
    .strictObject({
      features: z.number().int().nonnegative(),
      signals: listOf(z.string().max(64), { max: 64 }),
      extras: listOf(z.strictObject({ name: z.string().min(1).max(64), optional: z.boolean() }), {
        max: 1024,
      }),
    })
    .refine((inputs) => widthOf(inputs) > 0, "names no input"),
  model_version: z.string().max(64),
  held_out: freeFormSchema,
  provenance: freeFormSchema,
});

export type LearnedPart = z.infer<typeof learnedPartSchema>;

/** F, the columns of the matrix that the trees read: features, then signals, then extras. */
export function widthOf({ features, signals, extras }: LearnedDescription["inputs"]): number {
  return features + signals.length + extras.length;
}

/** The description for callers; null if the folder has no learned graph. */
export function describeLearned(part: LearnedPart | undefined): LearnedDescription | null {
  if (part === undefined) return null;
  const { target, loss, inputs, model_version, held_out, provenance } = part;
  return { target, loss, inputs, modelVersion: model_version, heldOut: held_out, provenance };
}
