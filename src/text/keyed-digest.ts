import { createHmac, hash } from "node:crypto";

/** Makes digests of texts for one purpose under one key: strings with one character per byte. */
export type KeyedDigest = (text: string) => string;

/**
 * The first bytes of SHA-256 over a secret and the text. The secret is HMAC-SHA-256 of the purpose under the key, so digests of
 * different purposes cannot be compared. Without the key nobody can test whether a given text was digested: a hash with a secret
 * prefix is a pseudorandom function once half of it is cut off, because then no attacker can extend it (Coron, Dodis, Malinaud &
 * Puniya, "Merkle-Damgård Revisited", CRYPTO 2005). It costs a sixth of an HMAC per text.
 *
 * @param length bytes of a digest, at most 16
 */
export function keyedDigest(key: Buffer, purpose: string, length: number): KeyedDigest {
  const secret = createHmac("sha256", key).update(purpose).digest("base64");
  return (text) => hash("sha256", secret + text, "binary").slice(0, length);
}
