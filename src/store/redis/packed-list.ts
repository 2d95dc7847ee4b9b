import { corrupt } from "../codec/bytes.js";

/**
 * Reads a list of strings and `false` that a script has packed with `cmsgpack.pack` (MessagePack). Calls `each` with the index
 * and the place of every string. One reply with a thousand values costs Redis and ioredis less than a thousand replies.
 */
export function readPackedList(
  bytes: Buffer,
  each: (index: number, start: number, end: number) => void,
): void {
  let at = 1;
  let count = (bytes[0] as number) & 0x0f;
  if (bytes[0] === 0xdc) {
    count = bytes.readUInt16BE(1);
    at = 3;
  } else if (bytes[0] === 0xdd) {
    count = bytes.readUInt32BE(1);
    at = 5;
  } else if ((bytes[0] as number) >> 4 !== 0x9) throw corrupt("a script did not answer a list");
  for (let index = 0; index < count; index++) {
    const type = bytes[at++] as number;
    if (type === FALSE) continue;
    let length = type & 0x1f;
    if (type === 0xd9) length = bytes[at++] as number;
    else if (type === 0xda) {
      length = bytes.readUInt16BE(at);
      at += 2;
    } else if (type >> 5 !== 0b101) throw corrupt(`a script answered a value of type ${type}`);
    each(index, at, at + length);
    at += length;
  }
}

const FALSE = 0xc2;
