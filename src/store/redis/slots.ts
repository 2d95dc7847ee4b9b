import { bytes, list, listOf, number, type Reply } from "./reply.js";

/** Slots of a Redis Cluster. Each key is in one of them, and each server has some. */
export const SLOTS = 16_384;

/** The slot of a key: CRC16 (XMODEM) of its hash tag, the text in the first braces; without a tag, of the whole key. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % SLOTS;
}

/** A server of a cluster, and the slots that it is the master of. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  /** Empty if the server says no name: then it is the host that was asked. */
  readonly host: string;
  readonly port: number;
}

/** Reads the answer to CLUSTER SLOTS. The replicas, which come after the master of each range, are left out. */
export const slotRanges: Reply<readonly SlotRange[]> = (answer) =>
  listOf((range) => {
    const [first, last, master] = list(range);
    const [host, port] = list(master);
    return {
      first: number(first),
      last: number(last),
      host: host === null ? "" : bytes(host).toString(),
      port: number(port),
    };
  })(answer);
