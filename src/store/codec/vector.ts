import { createHash } from "node:crypto";
import type { DirectionFacts, DirectionInfo } from "../port.js";
import { corrupt } from "./bytes.js";

/** Bytes of a vector that a store reads or writes at once. */
export const VECTOR_CHUNK_BYTES = 2 ** 19;

/** The facts of a direction whose vector has passed. */
export function factsOf(facts: DirectionFacts | (() => DirectionFacts)): DirectionFacts {
  return typeof facts === "function" ? facts() : facts;
}

/** Digest and size of a vector, which are known after all its bytes have passed. */
export type VectorFacts = Pick<DirectionInfo, "digest" | "bytes">;

/**
 * Yields the bytes in chunks of `VECTOR_CHUNK_BYTES`; the last one may be shorter. At the end calls `onEnd` with digest and size.
 * The chunks are views of one buffer, and each chunk overwrites the one before.
 */
export async function* inChunks(
  vector: AsyncIterable<Uint8Array>,
  onEnd: (facts: VectorFacts) => void,
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(VECTOR_CHUNK_BYTES);
  let bytes = 0;
  let filled = 0;
  for await (const part of vector) {
    bytes += part.length;
    for (let at = 0; at < part.length; ) {
      const taken = Math.min(part.length - at, chunk.length - filled);
      chunk.set(part.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < chunk.length) continue;
      hash.update(chunk);
      yield chunk;
      filled = 0;
    }
  }
  const rest = chunk.subarray(0, filled);
  hash.update(rest);
  if (filled > 0) yield rest;
  onEnd({ digest: hash.digest("hex"), bytes });
}

/**
 * Yields the chunks of a vector from the store. Throws `store_corrupt` at the end if they are not the bytes that were written.
 */
export async function* checked(
  { name, digest, bytes }: DirectionInfo,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let read = 0;
  for await (const chunk of chunks) {
    read += chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  if (read !== bytes) throw corrupt(`direction "${name}" has ${read} of its ${bytes} bytes`);
  if (hash.digest("hex") !== digest)
    throw corrupt(`the bytes of direction "${name}" are not those that were written`);
}
