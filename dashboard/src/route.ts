/** A screen of the dashboard, as the part of its address after `#` names it. */
export type Route =
  | { readonly screen: "now" | "models" | "datasets" | "try" }
  | { readonly screen: "dataset"; readonly dataset: string; readonly view: string }
  | { readonly screen: "sample"; readonly dataset: string; readonly id: string }
  | { readonly screen: "unknown"; readonly path: string };

/** Reads what follows `#`; an empty text is the first screen. */
export function readRoute(hash: string): Route {
  const text = hash.replace(/^#/, "");
  const [path = "", view = ""] = splitOnce(text, "?");
  const parts = decoded(path.split("/").filter((part) => part !== ""));
  if (parts === null) return { screen: "unknown", path };
  const [first = "now", dataset, samples, id, ...rest] = parts;
  if (dataset === undefined) {
    if (first === "now" || first === "models" || first === "datasets" || first === "try")
      return { screen: first };
  } else if (first === "datasets" && rest.length === 0) {
    if (samples === undefined) return { screen: "dataset", dataset, view };
    if (samples === "samples" && id !== undefined) return { screen: "sample", dataset, id };
  }
  return { screen: "unknown", path };
}

/** The link to a dataset, or to a view of its samples. */
export function datasetLink(dataset: string, view = ""): string {
  return `#/datasets/${encodeURIComponent(dataset)}${view === "" ? "" : `?${view}`}`;
}

export function sampleLink(dataset: string, id: string): string {
  return `${datasetLink(dataset)}/samples/${encodeURIComponent(id)}`;
}

function splitOnce(text: string, by: string): string[] {
  const at = text.indexOf(by);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + by.length)];
}

/** The parts without percent signs; null if one is not well encoded. */
function decoded(parts: readonly string[]): string[] | null {
  try {
    return parts.map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
