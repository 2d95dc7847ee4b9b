import { randomBytes } from "node:crypto";
import { corrupt } from "../codec/bytes.js";
import { FORMAT } from "../format.js";
import type { Lifetime } from "../lifetime.js";
import { DIGEST_KEY_BYTES } from "../options.js";
import type { OutputsStore } from "../port.js";
import type { Connection } from "./connection.js";
import type { Format } from "./format.js";
import { digestKeyKey } from "./keys.js";
import { bytes, ignored, orNull } from "./reply.js";

/** The configured key, or else the key in Redis. The first call makes that key. */
export function openDigestKey(
  connection: Connection,
  prefix: string,
  { run, format }: Lifetime & { readonly format: Format },
  given: Buffer | undefined,
): Pick<OutputsStore, "digestKey"> {
  let known: { digestKey: Buffer; connections: number } | null = null;

  /** Asks Redis once for each connection. If Redis has lost its data, it gets the key that is known here. */
  async function keptDigestKey(): Promise<Buffer> {
    const connections = connection.connections();
    if (known?.connections === connections) return known.digestKey;
    const key = digestKeyKey(prefix);
    // A digest key without a format would be taken for that of version 1a1e855.
    if ((await format.read()) === FORMAT) await format.requireWritable();
    await connection.send("SET", [key, known?.digestKey ?? randomBytes(DIGEST_KEY_BYTES), "NX"], ignored);
    const kept = await connection.send("GET", [key], orNull(bytes));
    if (kept?.length !== DIGEST_KEY_BYTES) throw corrupt("the digest key is not 32 bytes");
    known = { digestKey: kept, connections };
    return kept;
  }

  return { digestKey: () => run(() => given ?? keptDigestKey()) };
}
