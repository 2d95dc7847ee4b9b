import { type DatasetEntry, INCARNATION_BYTES } from "./dataset-entry.js";

/** Key of a sample: incarnation and id. */
export function sampleKey({ incarnation }: DatasetEntry, id: string): Buffer {
  const idBytes = Buffer.byteLength(id, "utf8");
  const key = Buffer.allocUnsafe(incarnation.length + idBytes);
  incarnation.copy(key);
  key.write(id, incarnation.length, "utf8");
  return key;
}

/** Key of a sample's history: incarnation and number, so that samples that came together are together. */
export function historyKey({ incarnation }: DatasetEntry, number: number): Buffer {
  const key = Buffer.allocUnsafe(incarnation.length + 4);
  incarnation.copy(key);
  key.writeUInt32BE(number, incarnation.length);
  return key;
}

/** Makes the same keys in one buffer that the next key overwrites. */
export function openHistoryKeys(): (entry: DatasetEntry, number: number) => Buffer {
  const key = Buffer.allocUnsafeSlow(INCARNATION_BYTES + 4);
  return ({ incarnation }, number) => {
    incarnation.copy(key);
    key.writeUInt32BE(number, INCARNATION_BYTES);
    return key;
  };
}

/** Ids of at most this many UTF-16 units take the fast path. An id has at most 256 bytes. */
const UNITS_MAX = 256;

/**
 * Makes the same keys, but in one buffer that the next key overwrites. It is for look-ups and writings of thousands of
 * ids, which no longer need a key when they ask for the next. A new buffer for each key would take a third of a look-up's time.
 */
export function openSampleKeys(): (entry: DatasetEntry, id: string) => Buffer {
  const place = Buffer.allocUnsafeSlow(64 + UNITS_MAX);
  const keys = Array.from({ length: place.length + 1 }, (_, length) => place.subarray(0, length));
  return (entry, id) => {
    const { incarnation } = entry;
    const { length } = id;
    if (length > UNITS_MAX) return sampleKey(entry, id);
    let at = 0;
    for (; at < incarnation.length; at++) place[at] = incarnation[at] as number;
    for (let unit = 0; unit < length; unit++) {
      const code = id.charCodeAt(unit);
      if (code > 0x7f) return sampleKey(entry, id);
      place[at++] = code;
    }
    return keys[at] as Buffer;
  };
}

/** The smallest key after all keys that begin with `incarnation`. */
export function after(incarnation: Buffer): Buffer {
  const end = Buffer.from(incarnation);
  let at = end.length - 1;
  while (at > 0 && end[at] === 0xff) end[at--] = 0;
  end[at] = ((end[at] as number) + 1) % 256;
  return end;
}
