import { Float32, Float64, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";

/** An Arrow IPC stream of columns, each a pair of type and values, in record batches of `rows`. */
export function arrowBody(columns, rows) {
  const entries = Object.entries(columns);
  const count = entries[0][1][1].length;
  const batches = [];
  for (let start = 0; start < count; start += rows) {
    const part = entries.map(([name, [type, values]]) => [
      name,
      vectorFromArray(values.slice(start, start + rows), type),
    ]);
    batches.push(...new Table(Object.fromEntries(part)).batches);
  }
  return Buffer.from(tableToIPC(new Table(batches), "stream"));
}

/** What a trainer observed of the samples with these ids. */
export function observed(ids) {
  return ids.map((id, index) => ({
    id,
    label: index % 2,
    logits: Math.fround(4 * Math.sin(index)),
    feature_norm: Math.fround(2 + Math.cos(index)),
  }));
}

/** The same as an Arrow stream. */
export function observedByArrow(samples, rows) {
  const column = (type, name) => [type, samples.map((sample) => sample[name])];
  return arrowBody(
    {
      id: column(new Utf8(), "id"),
      label: column(new Float64(), "label"),
      logits: column(new Float32(), "logits"),
      feature_norm: column(new Float32(), "feature_norm"),
    },
    rows,
  );
}

export function linesOf(samples) {
  return samples.map((sample) => `${JSON.stringify(sample)}\n`).join("");
}
