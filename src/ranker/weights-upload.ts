import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { AssayError } from "../errors.js";
import { type Manifest, WEIGHTS_FILE } from "./manifest.js";
import type { ModelFolder } from "./model-folder.js";
import { completeStaging, writing } from "./staging.js";
import { mergeHeader, readHeader, type WeightsHeader, weightsInvalid } from "./weights-header.js";

/** Bytes of the length, which comes before the header. */
const LENGTH_BYTES = 8;
/** Most bytes of the header. With ten thousand parameters it has two million bytes. */
const HEADER_BYTES_MAX = 16 * 2 ** 20;
/** Bytes that are checked before the event loop gets a turn: a fraction of a millisecond. */
const CHECKED_BYTES = 2 ** 20;

/**
 * Writes an upload into the staging folder. The upload is 8 bytes with the header's length (little-endian), the header, then
 * `weights.bin`, which is written to disk as it arrives. Answers the staged folder with the new manifest, after every byte was
 * synced. Throws `weights_invalid` naming the fault, `body_too_large`, `model_read_only`.
 */
export async function receiveWeights(
  folder: ModelFolder,
  staging: string,
  upload: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<ModelFolder> {
  const body = readerOf(upload);
  try {
    const manifest = mergeHeader(folder.manifest, await takeHeader(body, bytesMax));
    const file = await writing(() => open(join(staging, WEIGHTS_FILE), "wx+"));
    try {
      await writeWeights(file, body.rest(), manifest.files[WEIGHTS_FILE] as WeightsHeader["weights"]);
      await checkFinite(file, manifest);
      await writing(() => file.sync());
    } finally {
      await file.close();
    }
    return await completeStaging(staging, manifest);
  } finally {
    await body.end();
  }
}

async function takeHeader(body: Reader, bytesMax: number): Promise<WeightsHeader> {
  const length = Number((await body.take(LENGTH_BYTES)).readBigUInt64LE());
  if (length > HEADER_BYTES_MAX) {
    throw weightsInvalid(
      `The upload announces a header of ${length} bytes; the limit is ${HEADER_BYTES_MAX}`,
    );
  }
  const header = readHeader(await body.take(length));
  if (header.weights.bytes <= bytesMax) return header;
  throw new AssayError("body_too_large", {
    detail: `weights.bin has ${header.weights.bytes} bytes; ASSAY_WEIGHTS_BYTES_MAX is ${bytesMax}`,
  });
}

async function writeWeights(
  file: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
  { bytes, sha256 }: WeightsHeader["weights"],
): Promise<void> {
  const hash = createHash("sha256");
  let written = 0;
  for await (const chunk of chunks) {
    written += chunk.length;
    if (written > bytes)
      throw weightsInvalid(
        `The body has more than the ${bytes} bytes of weights.bin that its header announces`,
      );
    hash.update(chunk);
    await writing(() => file.writeFile(chunk));
  }
  if (written < bytes)
    throw weightsInvalid(`The body ends after ${written} of ${bytes} bytes of weights.bin`);
  const found = hash.digest("hex");
  if (found !== sha256) {
    throw weightsInvalid(
      `weights.bin does not match its digest: the header says ${sha256}, the bytes are ${found}`,
    );
  }
}

/** Throws `weights_invalid` naming the first parameter whose values or scales contain NaN or an infinity. */
async function checkFinite(file: FileHandle, { parameters }: Manifest): Promise<void> {
  const block = Buffer.alloc(CHECKED_BYTES);
  const values = new Uint32Array(block.buffer, block.byteOffset);
  for (const { name, dtype, offset, length, scale } of parameters) {
    for (const extent of [...(dtype === "float32" ? [{ offset, length }] : []), ...(scale ? [scale] : [])]) {
      for (let at = 0; at < extent.length; at += CHECKED_BYTES) {
        const size = Math.min(CHECKED_BYTES, extent.length - at);
        const { bytesRead } = await file.read(block, 0, size, extent.offset + at);
        if (holdsNonFinite(values.subarray(0, bytesRead / 4))) {
          throw weightsInvalid(`Parameter ${name} holds a value that is not finite`);
        }
      }
    }
  }
}

/** Looks at the bits: a value whose exponent is all ones is NaN or an infinity. */
function holdsNonFinite(bits: Uint32Array): boolean {
  const exponent = 0x7f800000;
  for (let i = 0; i < bits.length; i++) if (((bits[i] as number) & exponent) === exponent) return true;
  return false;
}

interface Reader {
  /** Exactly this many bytes. Throws `weights_invalid` if the body ends before. */
  take(bytes: number): Promise<Buffer>;
  /** All bytes that have not been taken. */
  rest(): AsyncIterable<Uint8Array>;
  /** Ends reading. */
  end(): Promise<void>;
}

function readerOf(upload: AsyncIterable<Uint8Array>): Reader {
  const chunks = upload[Symbol.asyncIterator]();
  let left: Buffer = Buffer.alloc(0);
  return {
    async take(bytes) {
      const parts = [left];
      let taken = left.length;
      while (taken < bytes) {
        const { value, done } = await chunks.next();
        if (done) throw weightsInvalid("The body ends within the header");
        parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
        taken += value.length;
      }
      const all = Buffer.concat(parts);
      left = all.subarray(bytes);
      return all.subarray(0, bytes);
    },
    async *rest() {
      yield left;
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
    },
    async end() {
      await chunks.return?.();
    },
  };
}
