import type { Page } from "./port.js";

/**
 * The page of what was found after the cursor, in order.
 *
 * @param found up to `limit + 1` items: one more tells that there is another page
 */
export function pageByName<T extends { readonly name: string }>(found: readonly T[], limit: number): Page<T> {
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return { items, cursor: last === undefined ? null : Buffer.from(last.name).toString("base64url") };
}

/** The name that a page's cursor stands after. */
export function nameOfCursor(cursor: string): string {
  return Buffer.from(cursor, "base64url").toString("utf8");
}
