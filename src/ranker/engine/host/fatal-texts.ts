import { createHash } from "node:crypto";
import { AssayError } from "../../../errors.js";
import type { Text } from "../../port.js";

/** Most texts that are remembered. Beyond this the oldest are forgotten. */
const TEXTS_MAX = 1000;

/** Texts that have crashed an engine process twice, the second time alone. They do not run again until the model is reloaded. */
export interface FatalTexts {
  /** Throws `text_refused` if a text is among them. The fault's sample is the index of the first such text. */
  check(texts: readonly Text[]): void;
  add(text: Text): void;
}

export function createFatalTexts(): FatalTexts {
  const digests = new Set<string>();
  return {
    check(texts) {
      if (digests.size === 0) return;
      const index = texts.findIndex((text) => digests.has(digestOf(text)));
      if (index >= 0) throw textRefused(index);
    },
    add(text) {
      digests.add(digestOf(text));
      if (digests.size > TEXTS_MAX) digests.delete(digests.values().next().value as string);
    },
  };
}

/** `index` is the text's place in the run. */
export function textRefused(index: number): AssayError {
  return new AssayError("text_refused", {
    detail:
      "A text crashed the engine process twice, the second time alone in its batch; it does not run again",
    faults: [{ sample: index, path: "", message: "crashed the engine process twice" }],
  });
}

function digestOf({ first, second }: Text): string {
  return createHash("sha256")
    .update(JSON.stringify([first, second]))
    .digest("base64");
}
