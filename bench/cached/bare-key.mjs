import * as crypto from "node:crypto";

/** The text hashed once, without a key. */
export function keyOf({ query, document }) {
  const text = `${query}\n${document}`;
  if (crypto.hash === undefined) return crypto.createHash("sha256").update(text).digest().subarray(0, 16);
  return crypto.hash("sha256", text, "buffer").subarray(0, 16);
}
