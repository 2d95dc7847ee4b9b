import { z } from "zod";
import { GRADIENT_GRAPHS, PRECISIONS } from "../../ranker/port.js";

/** The media types of an upload of new weights: its own, and the one that every client can send. */
export const WEIGHTS_MEDIA_TYPES = ["application/vnd.assay.weights", "application/octet-stream"] as const;

/** An upload that is read as it comes. */
export const uploadSchema = z.custom<AsyncIterable<Uint8Array>>(
  (body) => typeof body === "object" && body !== null && Symbol.asyncIterator in body,
);

export const modelSchema = z
  .object({
    name: z.string(),
    version: z.string().describe("Of weights, tokenizer and forward graph"),
    status: z
      .enum(["idle", "loading", "ready", "failed"])
      .describe("`idle`: not loaded; its first request loads it, and waits"),
    task: z.enum(["binary", "regression", "classification"]),
    classes: z.number().int(),
    class_names: z.array(z.string()).nullable(),
    tokens_max: z.number().int(),
    precisions: z.array(z.enum(PRECISIONS)),
    precision: z.enum(PRECISIONS).describe("Of a request that names none"),
    gradient_graphs: z
      .array(z.enum(GRADIENT_GRAPHS))
      .describe(
        "`norms` gives grad_norm and its like, `tangent` influence and its like, `accumulate` directions",
      ),
    gradient_graphs_unsupported: z
      .string()
      .nullable()
      .describe("What keeps the model from having gradient graphs, where its export says so"),
    learned: z
      .object({
        target: z.string().describe("Name of what it estimates"),
        loss: z.string().describe("Of the signals that it reads"),
        inputs: z.object({
          features: z.number().int().describe("Width of the features that it reads, or 0"),
          signals: z.array(z.string()),
          extras: z.array(z.object({ name: z.string(), optional: z.boolean() })),
        }),
        model_version: z.string().describe("The model's version that it was trained on"),
        stale: z.boolean().describe("The model is at another version by now"),
        held_out: z.record(z.string(), z.unknown()),
        provenance: z.record(z.string(), z.unknown()),
      })
      .nullable()
      .describe("What the signal `learned` comes from (docs/learned.md)"),
    provenance: z.record(z.string(), z.unknown()),
    metrics: z.record(z.string(), z.unknown()),
    licence: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Model", description: "An exported ranker" });
