import { Command } from "ioredis";
import type { SentIds } from "./kept-ids.js";
import { BUCKETS, bucketOf } from "./keys.js";

/** Arguments of a command in the format of the Redis protocol. */
export interface PackedArguments {
  readonly count: number;
  readonly text: string;
}

/** The protocol elements of bucket numbers. Each is made when it is first needed. */
const bucketElements = new Array<string | undefined>(BUCKETS);

/** What a script expects of the dataset's ids, and bucket and kept id of each id, as arguments. */
export function packBucketsAndIds(ids: readonly string[], { expected, keptId }: SentIds): PackedArguments {
  let text = element(expected);
  for (const given of ids) {
    const id = keptId(given);
    const bucket = bucketOf(id);
    let bucketElement = bucketElements[bucket];
    if (bucketElement === undefined) {
      bucketElement = element(String(bucket));
      bucketElements[bucket] = bucketElement;
    }
    text += bucketElement + element(id);
  }
  return { count: 1 + 2 * ids.length, text };
}

/**
 * A command whose last arguments are packed. ioredis would copy a list of arguments several times and check the type of each. For
 * a thousand ids this costs as much as reading the reply.
 */
export class PackedCommand extends Command {
  readonly #written: string;

  constructor(name: string, first: readonly string[], { count, text }: PackedArguments) {
    super(name, [...first], { replyEncoding: null });
    const head = [name, ...first].map(element).join("");
    this.#written = `*${1 + first.length + count}\r\n${head}${text}`;
  }

  override toWritable(): string {
    return this.#written;
  }
}

/** A bulk string of the Redis protocol. */
function element(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}
