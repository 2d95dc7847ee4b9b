import { bodyFault } from "../../errors.js";
import { giveTurn } from "../../observe/turns.js";
import { announcedBy, notArrow } from "./metadata.js";

export interface MessageRules {
  /** Most bytes of one message: a record batch, a dictionary or the schema. */
  readonly bytesMax: number;
  /** Counts the bytes that are held: see `LineRules`. */
  readonly memory: { take(bytes: number): void; give(bytes: number): void };
}

/** The schema of a table with hundreds of columns takes some tens of KiB. */
const METADATA_BYTES_MAX = 2 ** 20;
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
    // A chunk of the body may be hundreds of messages.
    await giveTurn();
    const first = await bytes.take(4);
    if (first === null) return;
    // Until version 0.15 of the format there was no continuation marker before the length.
    const isMarked = first.readUInt32LE() === CONTINUATION;
    const length = isMarked ? await bytes.required(4) : first;
    const metadataBytes = length.readInt32LE();
    if (metadataBytes === 0) {
      // The end of the stream. A body whose end nobody has read is taken for one that was given up, and its connection is cut.
      await bytes.take(1);
      return;
    }
    if (metadataBytes < 0 || (!isMarked && metadataBytes > METADATA_BYTES_MAX))
      throw notArrow("it does not begin with the length of a message");
    if (metadataBytes > METADATA_BYTES_MAX) throw tooLarge(number, METADATA_BYTES_MAX);
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

interface HeldBytes {
  /** Null at the end. */
  take(count: number): Promise<Buffer | null>;
  required(count: number): Promise<Buffer>;
}

function heldBytes(chunks: AsyncIterable<Uint8Array>, memory: MessageRules["memory"]): HeldBytes {
  const iterator = chunks[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
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
    length -= count;
    const first = parts[0];
    if (first !== undefined && first.length > count) {
      parts[0] = first.subarray(count);
      return viewOf(first.subarray(0, count));
    }
    const needed = partsWithin(parts, count);
    const held = parts.splice(0, needed);
    const bytes = held.length === 1 ? viewOf(held[0] as Uint8Array) : Buffer.concat(held);
    if (bytes.length > count) parts.unshift(bytes.subarray(count));
    return bytes.subarray(0, count);
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

/** How many parts hold the first `count` bytes. */
function partsWithin(parts: readonly Uint8Array[], count: number): number {
  let held = 0;
  let needed = 0;
  while (held < count) held += parts[needed++]?.length ?? count;
  return needed;
}

/** The same bytes, not a copy: a chunk may hold thousands of messages. */
function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function tooLarge(number: number, bytesMax: number): Error {
  return bodyFault(
    "body_too_large",
    `has a message (number ${number}) of more than ${bytesMax} bytes: send smaller record batches`,
  );
}
