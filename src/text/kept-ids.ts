import { keyedDigest } from "./keyed-digest.js";

/** 96 bits: among 10 million ids, two have one digest with a probability below 10⁻¹⁵. */
const BYTES = 12;

/**
 * Makes what a dataset that hashes its ids keeps of each: a keyed digest in base64url, 16 characters. Its purpose is the dataset, so
 * the same id of two datasets cannot be recognised.
 */
export function keptIds(digestKey: Buffer, dataset: string): (id: string) => string {
  const digest = keyedDigest(digestKey, `id ${dataset}`, BYTES);
  return (id) => Buffer.from(digest(id), "latin1").toString("base64url");
}
