import { z } from "zod";

export const aliveSchema = z.object({ status: z.literal("alive") }).describe("The process answers");

/** Whether one part can do its work, and its own description of its state. */
export const partSchema = z.object({ ready: z.boolean(), detail: z.string() });

export const readinessSchema = z
  .object({
    ready: z.boolean(),
    model: partSchema.describe("The default model"),
    store: partSchema.describe(
      "The store. If it is ready, `detail` says how durable an acknowledged write is.",
    ),
  })
  .describe("Which parts are ready, and why the others are not");
