import type { EmbeddingOrigin, EmbeddingType, ScannedEmbeddings } from "../dataset-records.js";
import { corrupt } from "./bytes.js";
import { fromFloat16, toFloat16 } from "./float16.js";

/** Bytes of the number of the origin, before the body. `redis/embedding-functions.ts` reads it in Lua. */
export const ORIGIN_BYTES = 2;
const SCALE_BYTES = 4;
const INT8_MAX = 127;

/** Bytes of the body of an embedding of D values. */
export function bodyBytes(type: EmbeddingType, size: number): number {
  return type === "int8" ? SCALE_BYTES + size : 2 * size;
}

/**
 * Packs the embedding in row `index` of (N, D). `int8`: a scale (float32), then D values of −127 to 127; value times scale is the
 * embedding, and the scale is max |e| / 127. `float16`: D values. Both are of the values rounded to float16.
 */
export function encodeEmbedding(
  type: EmbeddingType,
  values: Float32Array,
  index: number,
  size: number,
): Buffer {
  const bytes = Buffer.allocUnsafe(bodyBytes(type, size));
  const from = index * size;
  if (type === "float16") {
    for (let d = 0; d < size; d++) bytes.writeUInt16LE(toFloat16(values[from + d] as number), 2 * d);
    return bytes;
  }
  const rounded = new Float32Array(size);
  let peak = 0;
  for (let d = 0; d < size; d++) {
    const value = fromFloat16(toFloat16(values[from + d] as number));
    rounded[d] = value;
    peak = Math.max(peak, Math.abs(value));
  }
  const scale = Math.fround(peak / INT8_MAX);
  bytes.writeFloatLE(scale, 0);
  for (let d = 0; d < size; d++) {
    const step = scale === 0 ? 0 : Math.round((rounded[d] as number) / scale);
    bytes.writeInt8(Math.max(-INT8_MAX, Math.min(INT8_MAX, step)), SCALE_BYTES + d);
  }
  return bytes;
}

/** An embedding with the number of its origin. */
export function withOrigin(origin: number, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(ORIGIN_BYTES + body.length);
  bytes.writeUInt16LE(origin, 0);
  body.copy(bytes, ORIGIN_BYTES);
  return bytes;
}

/** The number of the origin of a stored embedding. */
export function originOf(stored: Buffer): number {
  if (stored.length < ORIGIN_BYTES) throw corrupt("an embedding ends too early");
  return stored.readUInt16LE(0);
}

/** A stored embedding and the number of its sample. */
export interface StoredEmbedding {
  readonly number: number;
  readonly stored: Buffer;
}

/**
 * The embeddings of one origin in columns.
 * @throws AssayError `store_corrupt` if the length of an embedding does not fit
 */
export function embeddingColumns(
  incarnation: string,
  type: EmbeddingType,
  origin: EmbeddingOrigin,
  rows: readonly StoredEmbedding[],
): ScannedEmbeddings {
  const { size } = origin;
  const count = rows.length;
  const values = type === "int8" ? new Int8Array(count * size) : new Float32Array(count * size);
  const scales = new Float32Array(count).fill(1);
  for (const [index, { stored }] of rows.entries()) {
    if (stored.length !== ORIGIN_BYTES + bodyBytes(type, size))
      throw corrupt(`an embedding of ${size} values has ${stored.length} bytes`);
    const at = index * size;
    if (type === "float16") {
      for (let d = 0; d < size; d++) values[at + d] = fromFloat16(stored.readUInt16LE(ORIGIN_BYTES + 2 * d));
      continue;
    }
    scales[index] = stored.readFloatLE(ORIGIN_BYTES);
    const first = stored.byteOffset + ORIGIN_BYTES + SCALE_BYTES;
    values.set(new Int8Array(stored.buffer, first, size), at);
  }
  const numbers = Uint32Array.from(rows, ({ number }) => number);
  return { incarnation, count, numbers, origin, values, scales };
}
