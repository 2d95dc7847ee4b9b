import { z } from "zod";
import type { Fault } from "../../errors.js";
import { pointerOf } from "../../text/json-structure.js";

/** The result of a check: the value with its defaults, or its faults, whose paths are JSON pointers into the value. */
export type Checked<T> =
  | { readonly value: T; readonly faults?: undefined }
  | { readonly value?: undefined; readonly faults: readonly Fault[] };

export function checkSchema<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  const parsed = schema.safeParse(value, { error: messageOf });
  return parsed.success ? { value: parsed.data } : { faults: parsed.error.issues.flatMap(faultsOf) };
}

/** Each unknown name is a separate fault, with its own path. */
function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const { path, message } = issue;
  return issue.code === "unrecognized_keys"
    ? issue.keys.map((key) => ({ path: pointerOf([...path, key]), message }))
    : [{ path: pointerOf(path), message }];
}

/** What is wrong, as the predicate of a sentence. Undefined leaves the message to the schema, or to zod. */
function messageOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== "custom") return "is required";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${KINDS[issue.expected] ?? issue.expected}, not ${kindOf(issue.input)}`;
    case "invalid_value":
      return `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.map(String).join(", ")}`;
    case "too_small":
    case "too_big":
      return sizeMessage(issue);
    case "unrecognized_keys":
      return `is not a known field; the fields here are: ${fieldsOf(issue.inst).join(", ")}`;
    case "invalid_key":
      return `is not a valid name: it ${issue.issues[0]?.message}`;
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a finite number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "number" ? String(value) : (KINDS[typeof value] ?? typeof value);
}

type SizeIssue = z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig>;

function sizeMessage(issue: SizeIssue): string {
  const [bound, comparison] =
    issue.code === "too_small"
      ? [issue.minimum, issue.inclusive === false ? "more than" : "at least"]
      : [issue.maximum, issue.inclusive === false ? "less than" : "at most"];
  const unit = UNITS[issue.origin];
  return unit === undefined
    ? `must be ${comparison} ${bound}`
    : `must have ${comparison} ${bound} ${unit[Number(bound) === 1 ? 0 : 1]}`;
}

const UNITS: Readonly<Record<string, readonly [string, string]>> = {
  string: ["character", "characters"],
  array: ["entry", "entries"],
};

/** The fields that an object's schema names. */
export function fieldsOf(schema: unknown): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
