import { z } from "zod";
import { ERRORS, type ErrorCode } from "../../errors.js";
import { STATUS } from "../problems.js";

const problemSchema = z
  .object({
    type: z.string().describe("`urn:assay:problem:` and the code"),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]).describe("Stable; made for programs."),
    detail: z.string(),
    faults: z
      .array(z.object({ path: z.string().describe("JSON pointer into the body"), message: z.string() }))
      .optional()
      .describe("Each fault of bad input; at most 20 are listed."),
  })
  .describe("RFC 9457 problem")
  .meta({ id: "Problem" });

/** The problems that a route may answer, by status, for its `response` schema. */
export function problems(...codes: readonly ErrorCode[]): Record<number, typeof problemSchema> {
  return Object.fromEntries(
    ["unauthorised" as const, ...codes].map((code) => [STATUS[code], problemSchema.describe(ERRORS[code])]),
  );
}
