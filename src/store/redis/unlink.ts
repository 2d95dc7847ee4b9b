import type { Connection } from "./connection.js";
import { ignored } from "./reply.js";

const CHUNK = 1000;

/** Removes keys in their order, in steps that do not block Redis for long. */
export async function unlinkAll(connection: Connection, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += CHUNK) {
    await connection.send("UNLINK", keys.slice(start, start + CHUNK), ignored);
  }
}
