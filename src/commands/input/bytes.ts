import { createReadStream } from "node:fs";
import { addAbortSignal, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { AssayError, messageOf } from "../../errors.js";

/** The name of standard input on the command line. */
export const STANDARD_INPUT = "-";

/** The name of an input in messages. */
export function nameOf(path: string): string {
  return path === STANDARD_INPUT ? "standard input" : path;
}

/**
 * The bytes of a file or of standard input, as they are read. Bytes that begin like gzip are unpacked, even if the name does not
 * end in .gz. An abort ends the reading. Throws `input_invalid` if the input cannot be read or unpacked.
 */
export async function* readBytes(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stream = path === STANDARD_INPUT ? process.stdin : createReadStream(path);
  addAbortSignal(signal, stream);
  try {
    const { head, chunks } = await peek(stream, (bytes) => bytes.length >= GZIP.length);
    yield* head.subarray(0, GZIP.length).equals(GZIP) ? unpacked(chunks, signal) : chunks;
  } catch (cause) {
    signal.throwIfAborted();
    throw new AssayError("input_invalid", {
      detail: `${nameOf(path)}: ${messageOf(cause)}`,
      cause,
    });
  } finally {
    stream.destroy();
  }
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** Reads until `isEnough` returns true. `head` is what it has read; `chunks` begins with `head` and goes on with the rest. */
export async function peek(
  source: AsyncIterable<Buffer>,
  isEnough: (head: Buffer) => boolean,
): Promise<{ head: Buffer; chunks: AsyncGenerator<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (!isEnough(head)) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  async function* chunks(): AsyncGenerator<Buffer> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { head, chunks: chunks() };
}

async function* unpacked(packed: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  // `gunzip` needs the abort signal too: a small file may have been read to its end while most of it is not unpacked yet.
  const gunzip = addAbortSignal(signal, createGunzip());
  // A failure destroys `gunzip` with its error, which the loop below throws.
  const fed = pipeline(Readable.from(packed), gunzip).catch(() => undefined);
  yield* gunzip;
  await fed;
}
