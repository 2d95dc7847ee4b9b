import { faultsError } from "../errors.js";
import type { Limits } from "../scoring/requests/limits.js";
import { isPlainSample, sampleSchema } from "../scoring/requests/sample-schema.js";
import { checkSchema } from "../scoring/requests/schema-faults.js";
import { placeIn, type StreamedLine, type StreamedSample } from "../scoring/streams/lines.js";
import { tryLines } from "./plugins/ndjson.js";
import type { StreamBody } from "./plugins/stream-body.js";

/** What a sample has to be. */
export interface SampleRules {
  readonly schema: ReturnType<typeof sampleSchema>;
  readonly limits: Limits;
}

/** The samples of a body of JSON lines, some at a time. Throws what `tryLines` throws. */
export async function* lineSamples(
  body: StreamBody,
  limits: Limits,
  signal: AbortSignal,
): AsyncGenerator<StreamedLine[]> {
  const rules = { schema: sampleSchema(limits), limits };
  let lines: StreamedLine[] = [];
  for await (const line of tryLines(body, limits.bodyBytesMax, signal)) {
    lines.push(
      "error" in line
        ? { number: line.number, id: null, group: undefined, error: line.error }
        : checkedLine(rules, line.value, { unit: "line", number: line.number }),
    );
    if (lines.length < LINES) continue;
    yield lines;
    lines = [];
  }
  if (lines.length > 0) yield lines;
}

/** Lines that are passed on at once. */
const LINES = 64;

/** A value as a sample of a stream, or as a line with the faults of the value. */
export function checkedLine(
  { schema, limits }: SampleRules,
  value: unknown,
  { unit, number }: Pick<StreamedSample, "unit" | "number">,
): StreamedLine {
  if (isPlainSample(value, limits)) return { number, unit, sample: value };
  const { faults, value: sample } = checkSchema(schema, value);
  if (faults === undefined) return { number, unit, sample };
  const place = placeIn({ unit, number });
  const error = faultsError(
    "invalid_request",
    faults.map((fault) => ({ ...fault, sample: place })),
  );
  const { id = null, group = null } = typeof value === "object" && value !== null ? (value as Named) : {};
  return {
    number,
    id: typeof id === "string" ? id : null,
    group: group === null || typeof group === "string" ? group : undefined,
    error,
  };
}

interface Named {
  readonly id?: unknown;
  readonly group?: unknown;
}
