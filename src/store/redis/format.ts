import { FIRST_FORMAT, FORMAT, requireReadable, requireWritable } from "../format.js";
import type { Connection } from "./connection.js";
import { digestKeyKey, formatKey, indexKey } from "./keys.js";
import { bytes, ignored, number, orNull } from "./reply.js";

/** The format of the store under a prefix. */
export interface Format {
  /** Throws `store_newer`, or `store_outdated` if an upgrade has not ended. */
  requireReadable(): Promise<void>;
  /** Throws the same, and `store_outdated` for the format of an earlier version. */
  requireWritable(): Promise<void>;
  set(format: string): Promise<void>;
  read(): Promise<string>;
}

/**
 * Reads the format once for each connection, because another connection may lead to another Redis. The first write gives an empty
 * store the present format. A store of version 1a1e855 has none, but it has a digest key or an index of datasets.
 */
export function openFormat(connection: Connection, prefix: string): Format {
  const key = formatKey(prefix);
  const place = `the Redis store with the prefix ${JSON.stringify(prefix)}`;
  let known: { readonly format: string; readonly kept: boolean; readonly connections: number } | null = null;

  /** The format, and whether Redis keeps it. */
  async function ask(): Promise<{ format: string; kept: boolean }> {
    const kept = await connection.send("GET", [key], orNull(bytes));
    if (kept !== null) return { format: kept.toString(), kept: true };
    for (const first of [digestKeyKey(prefix), indexKey(prefix)])
      if ((await connection.send("EXISTS", [first], number)) > 0)
        return { format: FIRST_FORMAT, kept: false };
    return { format: FORMAT, kept: false };
  }

  async function read(): Promise<string> {
    known = { ...(await ask()), connections: connection.connections() };
    return known.format;
  }

  /** What is known of this connection's Redis. */
  function current(): typeof known {
    return known?.connections === connection.connections() ? known : null;
  }

  return {
    read,
    requireReadable: async () => requireReadable(current()?.format ?? (await read()), place),
    async requireWritable() {
      const now = current();
      if (now?.format === FORMAT && now.kept) return;
      requireWritable(await read(), place);
      await connection.send("SET", [key, FORMAT, "NX"], ignored);
      requireWritable(await read(), place);
    },
    async set(format) {
      await connection.send("SET", [key, format], ignored);
      known = null;
    },
  };
}
