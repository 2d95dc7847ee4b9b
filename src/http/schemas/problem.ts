import { z } from "zod";
import { ERRORS, type ErrorCode } from "../../errors.js";
import { STATUS } from "../problems.js";

export const problemSchema = z
  .object({
    type: z.string().describe("`urn:assay:problem:` followed by the code"),
    title: z.string(),
    status: z.number().int(),
    code: z
      .enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
      .describe("Stable across versions: programs may rely on it."),
    detail: z.string(),
    faults: z
      .array(
        z.object({
          path: z
            .string()
            .describe(
              "JSON pointer into the body, where list entries count from 0. With JSON lines, `line N`, counted from 1, and a pointer into that line. For a parameter, its name.",
            ),
          message: z.string(),
        }),
      )
      .optional()
      .describe("Each fault of the input. At most 20 are listed."),
  })
  .describe("RFC 9457 problem")
  .meta({ id: "Problem" });

/** Problems that every route may answer. Routes that require a key may also answer `unauthorised`. */
const ANY: readonly ErrorCode[] = ["invalid_request", "foreign_request", "internal"];

/** Problems of a route whose method allows a body, even if the route itself takes none. */
export const BODY_PROBLEMS: readonly ErrorCode[] = [
  "body_too_large",
  "body_timeout",
  "overloaded",
  "unsupported_media_type",
];

/** Problems of a route that uses the store. */
export const STORE_PROBLEMS: readonly ErrorCode[] = [
  "store_unavailable",
  "store_full",
  "store_corrupt",
  "store_outdated",
  "store_newer",
  "deadline_exceeded",
];

/** Problems of a route that runs texts through a model. */
export const RUN_PROBLEMS: readonly ErrorCode[] = [
  "model_not_found",
  "model_not_ready",
  "model_invalid",
  "memory_insufficient",
  "device_unavailable",
  "overloaded",
  "deadline_exceeded",
  "text_refused",
  "engine_failed",
  "shutting_down",
];

/** For a route's `response` schema: the problems that it may answer, by status. They are these codes and those of every route. */
export function problems(...codes: readonly ErrorCode[]): Record<number, typeof problemSchema> {
  return openProblems("unauthorised", ...codes);
}

/** The same for a route that requires no key. */
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
