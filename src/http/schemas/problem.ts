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
      .array(
        z.object({
          path: z
            .string()
            .describe(
              "JSON pointer into the body, whose list entries count from 0; of JSON lines `line N`, from 1, and a pointer into that line; or the name of a parameter",
            ),
          message: z.string(),
        }),
      )
      .optional()
      .describe("Each fault of bad input; at most 20 are listed."),
  })
  .describe("RFC 9457 problem")
  .meta({ id: "Problem" });

/** What every route may answer; those that ask for a key, `unauthorised` too. */
const ANY: readonly ErrorCode[] = ["invalid_request", "foreign_request", "internal"];

/** Of a route whose method may bring a body, also where the route reads none. */
export const BODY_PROBLEMS: readonly ErrorCode[] = [
  "body_too_large",
  "body_timeout",
  "overloaded",
  "unsupported_media_type",
];

/** Of a route that asks the store. */
export const STORE_PROBLEMS: readonly ErrorCode[] = [
  "store_unavailable",
  "store_full",
  "store_corrupt",
  "deadline_exceeded",
];

/** Of a route that runs texts through a model. */
export const RUN_PROBLEMS: readonly ErrorCode[] = [
  "model_not_found",
  "model_not_ready",
  "model_invalid",
  "device_unavailable",
  "overloaded",
  "deadline_exceeded",
  "text_refused",
  "engine_failed",
  "shutting_down",
];

/** The problems that a route may answer, by status, for its `response` schema: these codes and those of any route. */
export function problems(...codes: readonly ErrorCode[]): Record<number, typeof problemSchema> {
  return openProblems("unauthorised", ...codes);
}

/** The same of a route that asks for no key. */
export function openProblems(...codes: readonly ErrorCode[]): Record<number, typeof problemSchema> {
  const ofStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...ANY, ...codes]))
    ofStatus.set(STATUS[code], [...(ofStatus.get(STATUS[code]) ?? []), code]);
  return Object.fromEntries(
    [...ofStatus].map(([status, own]) => [status, problemSchema.describe(titlesOf(own))]),
  );
}

/** Each code and what it means, in Markdown. */
function titlesOf(codes: readonly ErrorCode[]): string {
  return codes.map((code) => `- \`${code}\`: ${ERRORS[code]}`).join("\n");
}
