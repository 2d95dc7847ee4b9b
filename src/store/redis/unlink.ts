import type { Connection } from "./connection.js";
import { ignored } from "./reply.js";

const CHUNK = 1000;

/** Removes keys in steps that do not hold Redis up; the last key goes last. */
export async function unlinkAll(connection: Connection, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += CHUNK) {
    await connection.send("UNLINK", keys.slice(start, start + CHUNK), ignored);
  }
}
