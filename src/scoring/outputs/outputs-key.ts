import { createHmac, hash } from "node:crypto";
import type { ModelDescription, Text, Wanted } from "../../ranker/port.js";
import type { OutputsKey } from "../../store/port.js";

const KEY_BYTES = 16;

/** The keys of N texts. */
export interface OutputsKeys {
  readonly keys: readonly OutputsKey[]; // (N)
  /** (N) The same keys as strings, one character per byte. Two strings are equal if and only if their keys are. */
  readonly names: readonly string[];
}

/**
 * Keys of texts' outputs: the first 16 bytes of SHA-256 over a secret and the text. The secret is HMAC-SHA-256, under the
 * store's digest key, of everything except the text that decides the outputs: weights, tokenizer, graph, precision, token limit,
 * and for tangents the direction. The forward graph in fp32 and the norms graph share one key.
 * No label is in a key. Without the digest key nobody can test whether a given text was scored: a hash with a secret prefix is
 * a pseudorandom function once half of it is cut off, because then no attacker can extend it (Coron, Dodis, Malinaud & Puniya,
 * "Merkle-Damgård Revisited", CRYPTO 2005). It costs a sixth of an HMAC per text.
 */
export function outputsKeys(
  digestKey: Buffer,
  model: ModelDescription,
  wanted: Wanted,
  texts: readonly Text[],
): OutputsKeys {
  const secret = secretOf(digestKey, scopeOf(model, wanted));
  const bytes = Buffer.allocUnsafeSlow(KEY_BYTES * texts.length);
  const keys: OutputsKey[] = [];
  const names: string[] = [];
  for (const [index, text] of texts.entries()) {
    const at = KEY_BYTES * index;
    const name = hash("sha256", secret + messageOf(text), "binary").slice(0, KEY_BYTES);
    bytes.write(name, at, "latin1");
    keys.push(bytes.subarray(at, at + KEY_BYTES));
    names.push(name);
  }
  return { keys, names };
}

/** The secret that was made last. Most batches need the same as the batch before, and making one costs as much as 60 texts. */
let last: { readonly digestKey: Buffer; readonly scope: string; readonly secret: string } | null = null;

function secretOf(digestKey: Buffer, scope: string): string {
  if (last?.scope !== scope || !last.digestKey.equals(digestKey)) {
    const secret = createHmac("sha256", digestKey).update(scope).digest("base64");
    last = { digestKey, scope, secret };
  }
  return last.secret;
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

/** Without the length of the first text, ("ab", "c") and ("a", "bc") would have the same message. */
function messageOf({ first, second }: Text): string {
  return second === null ? `1\n${first}` : `2 ${first.length}\n${first}${second}`;
}
