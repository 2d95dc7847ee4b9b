import { giveTurn } from "../observe/turns.js";
import { encodeEmbedding } from "./codec/embedding.js";
import type { FreshEmbeddings } from "./dataset-port.js";
import type { EmbeddingType } from "./dataset-records.js";

/** Embeddings that are packed in one turn of the event loop: some milliseconds. */
const CHUNK = 256;

/** (N) The packed embeddings. Other work gets a turn in between. */
export async function encodeEmbeddings(
  type: EmbeddingType,
  { ids, values, origin }: FreshEmbeddings,
): Promise<Buffer[]> {
  const bodies: Buffer[] = [];
  for (let index = 0; index < ids.length; index++) {
    if (index > 0 && index % CHUNK === 0) await giveTurn();
    bodies.push(encodeEmbedding(type, values, index, origin.size));
  }
  return bodies;
}
