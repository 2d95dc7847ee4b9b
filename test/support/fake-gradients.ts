import { createHash } from "node:crypto";
import type { Text } from "../../src/ranker/port.js";

/** Parameters of the fake model. */
export const PARAMETERS = 8;

/** (K)(P) gradients of the logits over the parameters, entries from −1 to 1, by the text alone. */
export function fakeGradients({ first, second }: Text, classes: number): number[][] {
  return Array.from({ length: classes }, (_, k) => {
    const digest = digestOf(JSON.stringify([first, second, k]));
    return Array.from({ length: PARAMETERS }, (_, p) => (digest[p] as number) / 127.5 - 1);
  });
}

export function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
