import { createHmac } from "node:crypto";
import type { ModelDescription, Precision, Text } from "../ranker/port.js";
import type { OutputsKey } from "../store/port.js";

/**
 * Key of a text's outputs: the first 16 bytes of HMAC-SHA-256 under the store's digest key over everything that decides
 * the outputs (weights, tokenizer, graph, precision, token limit) and the text. No label is in it, and without the key
 * nobody can test whether a given text was scored.
 */
export function outputsKeyer(
  digestKey: Buffer,
  model: ModelDescription,
  precision: Precision,
): (text: Text) => OutputsKey {
  const scope = `${model.contentDigests[precision]}\n`;
  return ({ first, second }) => {
    const hmac = createHmac("sha256", digestKey).update(scope);
    // The length of the first text keeps ("ab", "c") apart from ("a", "bc").
    if (second === null) hmac.update("1\n").update(first, "utf8");
    else hmac.update(`2 ${first.length}\n`).update(first, "utf8").update(second, "utf8");
    return hmac.digest().subarray(0, 16);
  };
}
