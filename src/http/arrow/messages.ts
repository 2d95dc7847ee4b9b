import { AssayError, bodyFault } from "../../errors.js";

export interface MessageRules {
  /** Most bytes of one message: a record batch, a dictionary or the schema. */
  readonly bytesMax: number;
  /** Counts the bytes that are held: see `LineRules`. */
  readonly memory: { take(bytes: number): void; give(bytes: number): void };
}

const CONTINUATION = 0xffff_ffff;

/**
 * The messages of an Arrow IPC stream as they arrive, each whole, with the prefix that says its length. The reader of the package
 * would hold as many bytes as a message announces; this refuses a message that is too large before it arrives.
 *
 * Throws `body_too_large`, and `invalid_request` if the bytes are no such stream or end within a message.
 */
export async function* arrowMessages(
  chunks: AsyncIterable<Uint8Array>,
  { bytesMax, memory }: MessageRules,
): AsyncGenerator<Buffer> {
  const bytes = heldBytes(chunks, memory);
  for (let number = 1; ; number++) {
    const first = await bytes.take(4);
    if (first === null) return;
    // Until version 0.15 of the format there was no continuation marker before the length.
    const isMarked = first.readUInt32LE() === CONTINUATION;
    const length = isMarked ? await bytes.required(4) : first;
    const metadataBytes = length.readInt32LE();
    if (metadataBytes === 0) return; // the end of the stream
    if (metadataBytes < 0 || (!isMarked && metadataBytes > bytesMax))
      throw notArrow("it does not begin with the length of a message");
    if (metadataBytes > bytesMax) throw tooLarge(number, bytesMax);
    const metadata = await bytes.required(metadataBytes);
    const { bodyBytes, rows } = announcedBy(metadata);
    if (bodyBytes > bytesMax) throw tooLarge(number, bytesMax);
    // The package allocates a bit for each row that is announced. A row takes at least a bit of the body.
    if (bodyBytes < 0 || rows > 8 * bodyBytes)
      throw notArrow("a record batch announces more rows than it has bytes for");
    const prefix = isMarked ? [first, length] : [first];
    const message = Buffer.concat([...prefix, metadata, await bytes.required(bodyBytes)]);
    yield message;
    memory.give(message.length);
  }
}

/** What the metadata of a message announces. */
interface Announced {
  readonly bodyBytes: number;
  /** The largest number of rows of the record batch or of a column in it; 0 for another kind of message. */
  readonly rows: number;
}

/** Places of fields in the tables Message and RecordBatch (Message.fbs of the format), and the kind of a record batch. */
const MESSAGE = { kind: 1, header: 2, bodyLength: 3, recordBatch: 3 } as const;
const RECORD_BATCH = { length: 0, nodes: 1, nodeBytes: 16 } as const;

/** Reads metadata, which is a flatbuffer. @throws AssayError `invalid_request` if its offsets lead out of it */
function announcedBy(metadata: Buffer): Announced {
  try {
    const message = metadata.readUInt32LE(0);
    const bodyAt = fieldAt(metadata, message, MESSAGE.bodyLength);
    const bodyBytes = bodyAt === null ? 0 : Number(metadata.readBigInt64LE(bodyAt));
    const kindAt = fieldAt(metadata, message, MESSAGE.kind);
    const headerAt = fieldAt(metadata, message, MESSAGE.header);
    const isBatch = kindAt !== null && metadata.readUInt8(kindAt) === MESSAGE.recordBatch;
    const rows = isBatch && headerAt !== null ? rowsIn(metadata, followed(metadata, headerAt)) : 0;
    return { bodyBytes, rows };
  } catch (cause) {
    throw notArrow("its metadata cannot be read", cause);
  }
}

function rowsIn(metadata: Buffer, batch: number): number {
  const lengthAt = fieldAt(metadata, batch, RECORD_BATCH.length);
  let rows = lengthAt === null ? 0 : Number(metadata.readBigInt64LE(lengthAt));
  const nodesAt = fieldAt(metadata, batch, RECORD_BATCH.nodes);
  if (nodesAt === null) return rows;
  const nodes = followed(metadata, nodesAt);
  const count = metadata.readUInt32LE(nodes);
  for (let node = 0; node < count; node++)
    rows = Math.max(rows, Number(metadata.readBigInt64LE(nodes + 4 + node * RECORD_BATCH.nodeBytes)));
  return rows;
}

/** Where a field of a flatbuffer's table is; null if the table lacks it. */
function fieldAt(metadata: Buffer, table: number, field: number): number | null {
  const vtable = table - metadata.readInt32LE(table);
  // Before the fields, a vtable has its own size and that of the table, 16 bits each.
  const entry = 4 + 2 * field;
  const offset = entry < metadata.readUInt16LE(vtable) ? metadata.readUInt16LE(vtable + entry) : 0;
  return offset === 0 ? null : table + offset;
}

function followed(metadata: Buffer, at: number): number {
  return at + metadata.readUInt32LE(at);
}

interface HeldBytes {
  /** Null at the end. */
  take(count: number): Promise<Buffer | null>;
  required(count: number): Promise<Buffer>;
}

function heldBytes(chunks: AsyncIterable<Uint8Array>, memory: MessageRules["memory"]): HeldBytes {
  const iterator = chunks[Symbol.asyncIterator]();
  let parts: Uint8Array[] = [];
  let length = 0;

  async function take(count: number): Promise<Buffer | null> {
    while (length < count) {
      const step = await iterator.next();
      if (step.done && length === 0) return null;
      if (step.done) throw notArrow("it ends within a message");
      memory.take(step.value.length);
      parts.push(step.value);
      length += step.value.length;
    }
    const held = parts.length === 1 ? Buffer.from(parts[0] as Uint8Array) : Buffer.concat(parts);
    parts = count === held.length ? [] : [held.subarray(count)];
    length -= count;
    return held.subarray(0, count);
  }

  return {
    take,
    async required(count) {
      if (count === 0) return Buffer.alloc(0);
      const found = await take(count);
      if (found === null) throw notArrow("it ends within a message");
      return found;
    },
  };
}

/** The error for a body that is not an Arrow IPC stream, or one that cannot be read here. */
export function notArrow(reason: string, cause?: unknown): AssayError {
  return new AssayError("invalid_request", {
    detail: `The body is not an Arrow IPC stream that can be read: ${reason}`,
    cause,
  });
}

function tooLarge(number: number, bytesMax: number): AssayError {
  return bodyFault(
    "body_too_large",
    `has a message (number ${number}) of more than ${bytesMax} bytes: send smaller record batches`,
  );
}
