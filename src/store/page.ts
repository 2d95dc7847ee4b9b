import type { Page } from "./dataset-records.js";

/**
 * A page of the items that were found after the cursor, in order.
 *
 * @param found up to `limit + 1` items; one more than `limit` means that there is another page
 */
export function pageByName<T extends { readonly name: string }>(found: readonly T[], limit: number): Page<T> {
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return { items, cursor: last === undefined ? null : Buffer.from(last.name).toString("base64url") };
}

/** The last name of the page that a cursor follows. */
export function nameOfCursor(cursor: string): string {
  return Buffer.from(cursor, "base64url").toString("utf8");
}
