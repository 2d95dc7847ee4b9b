import { type DataType, Table, tableToIPC, vectorFromArray } from "apache-arrow";

/** An Arrow stream with these columns, in record batches of `rows`. */
export function arrow(columns: Record<string, [DataType, readonly unknown[]]>, rows = 1000): Buffer {
  const entries = Object.entries(columns);
  const length = entries[0]?.[1][1].length ?? 0;
  const batches = [];
  for (let start = 0; start < length; start += rows) {
    const part = entries.map(([name, [type, values]]) => [
      name,
      vectorFromArray(values.slice(start, start + rows) as never[], type),
    ]);
    batches.push(...new Table(Object.fromEntries(part)).batches);
  }
  return Buffer.from(tableToIPC(new Table(batches as never), "stream"));
}
