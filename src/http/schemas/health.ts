import { z } from "zod";

export const aliveSchema = z.object({ status: z.literal("alive") }).describe("The process answers");

/** Whether one part can do its work, and what it says of itself. */
export const partSchema = z.object({ ready: z.boolean(), detail: z.string() });

export const readinessSchema = z
  .object({
    ready: z.boolean(),
    model: partSchema.describe("The default model"),
    store: partSchema.describe("With what an acknowledged write promises"),
  })
  .describe("What is ready, and why not");
