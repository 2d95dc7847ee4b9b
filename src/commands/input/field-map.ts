import { AssayError } from "../../errors.js";

/** The fields of a sample. */
const FIELDS = [
  "id",
  "query",
  "document",
  "text",
  "label",
  "group",
  "source",
  "reference_loss",
  "extras",
] as const;
type FieldName = (typeof FIELDS)[number];

/** `extras.clicks` is the extra `clicks`. */
export const EXTRAS = "extras.";

/** Where the value of a column or of a JSON field goes: to a field of the sample, or to one of its extras. */
export type Target = FieldName | `${typeof EXTRAS}${string}`;

/** Maps the names of a file's fields to the fields of a sample. */
export interface FieldMap {
  /** The fields as which `name` is read, none if it is left out; or why it cannot be read. */
  targetsOf(name: string): readonly Target[] | { readonly fault: string };
  /** The names that the map gives to fields. */
  readonly sources: readonly string[];
}

export interface FieldMapOptions {
  /** Pairs such as `label=rating`: the file's field `rating` is the label. */
  readonly map: readonly string[];
  readonly ignoreUnknown: boolean;
}

/** Throws `input_invalid` if a pair is not FIELD=NAME, or if two pairs name the same field. */
export function createFieldMap({ map, ignoreUnknown }: FieldMapOptions): FieldMap {
  const sources = new Map<string, Target[]>();
  const mapped = new Set<Target>();
  for (const pair of map) {
    const [field = "", source = ""] = pair.split(/=(.*)/s);
    if (!isTarget(field) || source === "")
      throw refused(`${JSON.stringify(pair)} must be FIELD=NAME, where FIELD is one of ${KNOWN}`);
    if (mapped.has(field)) throw refused(`${field} is named twice: leave one out`);
    mapped.add(field);
    sources.set(source, [...(sources.get(source) ?? []), field]);
  }
  return {
    sources: [...sources.keys()],
    targetsOf(name) {
      const targets = [...(sources.get(name) ?? [])];
      const isField = isTarget(name);
      if (isField && !mapped.has(name)) targets.push(name);
      if (targets.length > 0 || ignoreUnknown) return targets;
      const why = isField
        ? `is not read, because --map reads another field as ${name}`
        : `is not known: the known fields are ${KNOWN}. --map FIELD=${name} reads it as one of them`;
      return { fault: `${JSON.stringify(name)} ${why}; --ignore-unknown leaves it out` };
    },
  };
}

function isTarget(name: string): name is Target {
  return name.startsWith(EXTRAS) ? name.length > EXTRAS.length : FIELDS.some((field) => field === name);
}

const KNOWN = `${FIELDS.join(", ")} and ${EXTRAS}NAME`;

function refused(message: string): AssayError {
  return new AssayError("input_invalid", { detail: `--map: ${message}` });
}
