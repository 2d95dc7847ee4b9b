import { Command } from "ioredis";
import { BUCKETS, bucketOf } from "./keys.js";

/** Arguments of a command in the form in which Redis reads them. */
export interface PackedArguments {
  readonly count: number;
  readonly text: string;
}

/** Elements of the bucket numbers, made as they are needed. */
const bucketElements = new Array<string | undefined>(BUCKETS);

/** Bucket and id of each. */
export function packBucketsAndIds(ids: readonly string[]): PackedArguments {
  let text = "";
  for (const id of ids) {
    const bucket = bucketOf(id);
    let bucketElement = bucketElements[bucket];
    if (bucketElement === undefined) {
      bucketElement = element(String(bucket));
      bucketElements[bucket] = bucketElement;
    }
    text += bucketElement + element(id);
  }
  return { count: 2 * ids.length, text };
}

/**
 * A command whose last arguments are packed. ioredis copies a list of arguments several times and looks at the type of
 * each: for a thousand ids that costs as much as reading the reply.
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
