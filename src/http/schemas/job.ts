import { z } from "zod";
import { JOB_STATES } from "../../jobs/port.js";
import { timeoutHeadersSchema } from "../plugins/caller.js";
import { timeSchema, weighAnswerSchema } from "./dataset.js";
import { noiseAnswerSchema } from "./noise.js";
import { problemSchema } from "./problem.js";
import { selectAnswerSchema } from "./selection.js";

/** Request headers of a route whose work may take long. */
export const preferHeadersSchema = timeoutHeadersSchema.extend({
  prefer: z
    .string()
    .optional()
    .describe("`respond-async` (RFC 7240): answer 202 with a job at once instead of waiting for the result"),
});

/** Most characters of an idempotency key. */
const KEY_MAX = 255;

/** The same with a key under which a request is done once. */
export const weighHeadersSchema = preferHeadersSchema.extend({
  "idempotency-key": z
    .string()
    .min(1)
    .max(KEY_MAX)
    .optional()
    .describe(
      "Any text, such as a UUID. The same request under the same key answers the same snapshot for 24 hours; another request is refused.",
    ),
});

export const jobParamsSchema = z.strictObject({ job: z.string().min(1).max(64).describe("Id of the job") });

export const jobSchema = z
  .object({
    id: z.string(),
    kind: z.enum(["weigh", "select", "noise"]),
    dataset: z.string(),
    state: z.enum(JOB_STATES),
    progress: z.number().min(0).max(1).describe("Share of the work that is done"),
    created_at: timeSchema,
    started_at: timeSchema.nullable(),
    ended_at: timeSchema.nullable(),
    result: z
      .union([weighAnswerSchema, selectAnswerSchema, noiseAnswerSchema])
      .nullable()
      .describe(
        "What the request would have answered without `Prefer: respond-async`; null until it is done, and after a request that waited was answered with it",
      ),
    problem: problemSchema.nullable().describe("Why the work failed; null if it did not"),
  })
  .describe("Long work")
  .meta({ id: "Job" });

export const jobListSchema = z
  .object({ jobs: z.array(jobSchema) })
  .describe(
    "The jobs of this process, the newest first: those that wait, run, or ended in the last hour. Selections come without their samples and strata, and noise without its suspects: read the job itself.",
  );
