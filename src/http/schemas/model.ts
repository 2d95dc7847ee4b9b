import { z } from "zod";
import { GRADIENT_GRAPHS, PRECISIONS } from "../../ranker/port.js";

/** The media types of an upload of new weights: Assay's own, and a general one that every client can send. */
export const WEIGHTS_MEDIA_TYPES = ["application/vnd.assay.weights", "application/octet-stream"] as const;

/** An upload that is read while it arrives. */
export const uploadSchema = z.custom<AsyncIterable<Uint8Array>>(
  (body) => typeof body === "object" && body !== null && Symbol.asyncIterator in body,
);

export const modelSchema = z
  .object({
    name: z.string(),
    version: z
      .string()
      .describe(
        "Names the weights, the tokeniser, the function that the model computes, and a gradient scope other than `all`. Graphs that are drawn again keep it.",
      ),
    status: z
      .enum(["idle", "loading", "ready", "failed"])
      .describe("`idle`: not loaded. The first request for it loads it, and waits meanwhile."),
    task: z.enum(["binary", "regression", "classification"]),
    classes: z.number().int(),
    class_names: z.array(z.string()).nullable(),
    tokens_max: z.number().int(),
    precisions: z.array(z.enum(PRECISIONS)),
    precision: z.enum(PRECISIONS).describe("Precision of a request that names none"),
    gradient_graphs: z
      .array(z.enum(GRADIENT_GRAPHS))
      .describe(
        "What each graph is needed for: `norms` for grad_norm and similar signals, `tangent` for signals along a direction such as influence, `accumulate` to make directions, `attribution` for the tokens that move a logit",
      ),
    gradient_graphs_unsupported: z
      .string()
      .nullable()
      .describe("Why the model has no gradient graphs, if its export says so"),
    gradient_scope: z
      .string()
      .nullable()
      .describe(
        "The parameters that the gradient graphs are of: `all`, `head`, `last:N` (the last N layers and the head), or patterns over names of parameters. Null without gradient graphs.",
      ),
    memory: z
      .object({
        used_bytes: z
          .number()
          .int()
          .nullable()
          .describe(
            "What the model's engine processes take now, as proportional set size; null while the model is not loaded, and on systems other than Linux",
          ),
        forward_bytes: z
          .number()
          .int()
          .describe("Estimate to load the model on the CPU and run the forward graph"),
        all_graphs_bytes: z
          .number()
          .int()
          .describe("The same with every graph of the model, one direction, and the sums of one"),
      })
      .describe(
        "Memory in bytes. Estimates are for short texts; texts of 512 tokens take up to twice as much.",
      ),
    embedding: z
      .object({
        size: z.number().int().describe("The number of its values"),
        after: z.string().describe("`embeddings`: the mean over the tokens of what the first layer reads"),
      })
      .nullable()
      .describe("The embedding that the model's graphs give of a text; null if they give none"),
    learned: z
      .object({
        target: z.string().describe("Name of the quantity that it estimates"),
        loss: z.string().describe("Loss of the signals that it reads"),
        inputs: z.object({
          features: z.number().int().describe("Width of the features that it reads; 0 if it reads none"),
          signals: z.array(z.string()),
          extras: z.array(z.object({ name: z.string(), optional: z.boolean() })),
        }),
        model_version: z.string().describe("The version of the model that it was trained on"),
        stale: z.boolean().describe("True if the model now has another version"),
        held_out: z.record(z.string(), z.unknown()),
        provenance: z.record(z.string(), z.unknown()),
      })
      .nullable()
      .describe(
        "The trained estimator behind the signal `learned` (docs/learned.md); null if the folder has none",
      ),
    provenance: z.record(z.string(), z.unknown()),
    metrics: z.record(z.string(), z.unknown()),
    licence: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Model", description: "An exported ranker" });

/** The manifest as the folder holds it. Its own schema is the ranker's. */
export const manifestSchema = z
  .record(z.string(), z.unknown())
  .describe("The manifest: format, architecture, files with digests, graphs, parameters, self-test and more");
