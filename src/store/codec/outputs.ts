import type { OutputsRecord } from "../port.js";
import { corrupt, finish, type Reading, readFloats32, take } from "./bytes.js";

const VERSION = 1;
const TRUNCATED = 0b0001;

/**
 * Packs outputs as: version and flags (1 byte, a nibble each), ‖h‖² (float32), logits (K float32). K follows from the
 * length, so one logit takes 9 bytes.
 */
export function encodeOutputs(record: OutputsRecord): Buffer {
  const bytes = Buffer.allocUnsafe(5 + record.logits.length * 4);
  bytes[0] = (VERSION << 4) | (record.truncated ? TRUNCATED : 0);
  bytes.writeFloatLE(record.featureNormSquared, 1);
  for (let k = 0; k < record.logits.length; k++) bytes.writeFloatLE(record.logits[k] as number, 5 + k * 4);
  return bytes;
}

/** @throws AssayError `store_corrupt` for another version or a length that does not fit. */
export function decodeOutputs(bytes: Buffer): OutputsRecord {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const head = bytes[take(reading, 1)] as number;
  if (head >> 4 !== VERSION || (head & 0x0f & ~TRUNCATED) !== 0) {
    throw corrupt(`an outputs record has the unknown head ${head}`);
  }
  const featureNormSquared = bytes.readFloatLE(take(reading, 4));
  const logits = readFloats32(reading, Math.floor((reading.end - reading.at) / 4));
  finish(reading);
  return { logits, featureNormSquared, truncated: (head & TRUNCATED) !== 0 };
}
