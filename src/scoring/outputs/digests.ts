import type { ModelDescription, Text, Wanted } from "../../ranker/port.js";
import type { OutputsKey } from "../../store/port.js";
import { type KeyedDigest, keyedDigest } from "../../text/keyed-digest.js";

const KEY_BYTES = 16;

/** The keys of N texts. */
export interface OutputsKeys {
  readonly keys: readonly OutputsKey[]; // (N)
  /** (N) The same keys as strings, one character per byte. Two strings are equal if and only if their keys are. */
  readonly names: readonly string[];
}

/**
 * Keys of texts' outputs: digests of the texts under the store's digest key. Their purpose is everything except the text that
 * decides the outputs: weights, tokenizer, graph, precision, token limit, and for tangents the direction. The forward graph in fp32
 * and the norms graph share one key. No label is in a key.
 */
export function outputsKeys(
  digestKey: Buffer,
  model: ModelDescription,
  wanted: Wanted,
  texts: readonly Text[],
): OutputsKeys {
  const digest = digestFor(digestKey, scopeOf(model, wanted));
  const bytes = Buffer.allocUnsafeSlow(KEY_BYTES * texts.length);
  const keys: OutputsKey[] = [];
  const names: string[] = [];
  for (const [index, text] of texts.entries()) {
    const at = KEY_BYTES * index;
    const name = digest(messageOf(text));
    bytes.write(name, at, "latin1");
    keys.push(bytes.subarray(at, at + KEY_BYTES));
    names.push(name);
  }
  return { keys, names };
}

/** The digest that was made last. Most batches need the same as the batch before, and making one costs as much as 60 texts. */
let last: { readonly digestKey: Buffer; readonly scope: string; readonly digest: KeyedDigest } | null = null;

function digestFor(digestKey: Buffer, scope: string): KeyedDigest {
  if (last?.scope !== scope || !last.digestKey.equals(digestKey))
    last = { digestKey, scope, digest: keyedDigest(digestKey, scope, KEY_BYTES) };
  return last.digest;
}

/** Bytes of the digests of texts and groups in a sample's record. */
const TEXT_BYTES = 6;
const GROUP_BYTES = 8;

/** Makes the digests that a sample's record has of its text: free of the model, so that a new checkpoint keeps them. */
export function textDigests(digestKey: Buffer): (text: Text) => Buffer {
  const digest = keyedDigest(digestKey, "text", TEXT_BYTES);
  return (text) => Buffer.from(digest(messageOf(text)), "latin1");
}

/** Makes the digests in hex that a sample's record has instead of its group. */
export function groupDigests(digestKey: Buffer): (group: string) => string {
  const digest = keyedDigest(digestKey, "group", GROUP_BYTES);
  return (group) => Buffer.from(digest(group), "latin1").toString("hex");
}

function scopeOf({ contentDigests }: ModelDescription, wanted: Wanted): string {
  switch (wanted.graph) {
    case "forward":
      return `${contentDigests[wanted.precision]}`;
    case "norms":
      return `${contentDigests.fp32}`;
    case "tangent":
      return `${contentDigests.tangent}:${wanted.direction.digest}`;
  }
}

/** The text as a message. Without the length of the first text, ("ab", "c") and ("a", "bc") would have the same message. */
function messageOf({ first, second }: Text): string {
  return second === null ? `1\n${first}` : `2 ${first.length}\n${first}${second}`;
}
