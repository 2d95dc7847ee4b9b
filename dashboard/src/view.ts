/** Which samples of a dataset a page shows, and in which order. */
export interface View {
  /** A column; with a minus sign before it, the largest first. */
  readonly sort: string;
  readonly label: string;
  readonly source: string;
  /** `NAME:MIN..MAX`, as the API takes it; empty for none. */
  readonly range: string;
}

export const FIRST_VIEW: View = { sort: "-loss", label: "", source: "", range: "" };

/** Reads a view from the query of an address. What it does not name is as in the first view. */
export function readView(query: string): View {
  const given = new URLSearchParams(query);
  return {
    sort: given.get("sort") ?? FIRST_VIEW.sort,
    label: given.get("label") ?? "",
    source: given.get("source") ?? "",
    range: given.get("range") ?? "",
  };
}

/** The query of a view, for an address and for the API alike. Empty fields are left out. */
export function queryOf(view: View): string {
  const given = Object.entries(view).filter(([, value]) => value !== "");
  return new URLSearchParams(given).toString();
}

/** The range of the values of a column from `min` to `max`; a blank end is open. Empty if both are blank. */
export function rangeOf(column: string, min: string, max: string): string {
  return min.trim() === "" && max.trim() === "" ? "" : `${column}:${min.trim()}..${max.trim()}`;
}

export interface Range {
  readonly column: string;
  readonly min: string;
  readonly max: string;
}

/** The parts of a range; null if the text is not one. */
export function readRange(text: string): Range | null {
  const [, column, min = "", max = ""] = /^([^:]+):(.*?)\.\.(.*)$/.exec(text) ?? [];
  return column === undefined ? null : { column, min, max };
}
