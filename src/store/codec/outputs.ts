import type { OutputsRecord } from "../port.js";
import { corrupt, finish, type Reading, readFloats32, take } from "./bytes.js";
import { fromFloat16, toFloat16 } from "./float16.js";

/** Logits and ‖h‖² alone; what this version wrote before there was a second one can be read. */
const PLAIN = 1;
/** With K and any of the parts of `Flag`. */
const WITH_PARTS = 2;

const Flag = { truncated: 1, gram: 2, tangent: 4, features: 8 } as const;

/**
 * Packs outputs as: version and flags (1 byte, a nibble each), K (uint16, only where there are parts), ‖h‖² (float32), logits
 * (K float32), then the parts that the flags name: gram (K² float32), tangent (K float32), features (float16). Without parts
 * K follows from the length, so one logit takes 9 bytes; with a gram it takes 15.
 */
export function encodeOutputs({
  logits,
  featureNormSquared,
  truncated,
  gram,
  tangent,
  features,
}: OutputsRecord): Buffer {
  const flags =
    (truncated ? Flag.truncated : 0) |
    (gram ? Flag.gram : 0) |
    (tangent ? Flag.tangent : 0) |
    (features ? Flag.features : 0);
  const plain = flags <= Flag.truncated;
  const floats = logits.length + (gram?.length ?? 0) + (tangent?.length ?? 0);
  const bytes = Buffer.allocUnsafe((plain ? 5 : 7) + floats * 4 + (features?.length ?? 0) * 2);
  bytes[0] = ((plain ? PLAIN : WITH_PARTS) << 4) | flags;
  let at = plain ? 1 : bytes.writeUInt16LE(logits.length, 1);
  at = bytes.writeFloatLE(featureNormSquared, at);
  at = writeFloats32(bytes, logits, at);
  if (gram !== null) at = writeFloats32(bytes, gram, at);
  if (tangent !== null) at = writeFloats32(bytes, tangent, at);
  if (features !== null) for (const value of features) at = bytes.writeUInt16LE(toFloat16(value), at);
  return bytes;
}

/** @throws AssayError `store_corrupt` for another version or a length that does not fit. */
export function decodeOutputs(bytes: Buffer): OutputsRecord {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const head = bytes[take(reading, 1)] as number;
  const version = head >> 4;
  const flags = head & 0x0f;
  const truncated = (flags & Flag.truncated) !== 0;
  if (version === PLAIN && flags <= Flag.truncated) {
    const featureNormSquared = bytes.readFloatLE(take(reading, 4));
    const logits = readFloats32(reading, Math.floor((reading.end - reading.at) / 4));
    finish(reading);
    return { logits, featureNormSquared, truncated, gram: null, tangent: null, features: null };
  }
  if (version !== WITH_PARTS) throw corrupt(`an outputs record has the unknown head ${head}`);
  const classes = bytes.readUInt16LE(take(reading, 2));
  const featureNormSquared = bytes.readFloatLE(take(reading, 4));
  const logits = readFloats32(reading, classes);
  const gram = flags & Flag.gram ? readFloats32(reading, classes * classes) : null;
  const tangent = flags & Flag.tangent ? readFloats32(reading, classes) : null;
  const features = flags & Flag.features ? readFloats16(reading) : null;
  finish(reading);
  return { logits, featureNormSquared, truncated, gram, tangent, features };
}

function writeFloats32(bytes: Buffer, values: Float32Array, from: number): number {
  let at = from;
  for (let index = 0; index < values.length; index++) at = bytes.writeFloatLE(values[index] as number, at);
  return at;
}

/** Everything that is left. */
function readFloats16(reading: Reading): Float32Array {
  const values = new Float32Array(Math.floor((reading.end - reading.at) / 2));
  const start = take(reading, values.length * 2);
  for (let index = 0; index < values.length; index++) {
    values[index] = fromFloat16(reading.bytes.readUInt16LE(start + index * 2));
  }
  return values;
}
