import { z } from "zod";

const found = new WeakMap<object, number>();

/** Most entries that a schema admits in any of its lists that have a limit; 0 if none has. */
export function longestList(schema: unknown): number {
  if (!(schema instanceof z.ZodType)) return 0;
  const known = found.get(schema);
  if (known !== undefined) return known;
  const longest = largestMaxItems(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  found.set(schema, longest);
  return longest;
}

function largestMaxItems(part: unknown): number {
  if (typeof part !== "object" || part === null) return 0;
  let largest = "maxItems" in part && typeof part.maxItems === "number" ? part.maxItems : 0;
  for (const value of Object.values(part)) largest = Math.max(largest, largestMaxItems(value));
  return largest;
}
