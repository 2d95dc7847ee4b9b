import { randomBytes } from "node:crypto";
import type { Lifetime } from "../lifetime.js";
import { DIGEST_KEY_BYTES } from "../options.js";
import type { OutputsStore } from "../port.js";
import type { Environment } from "./environment.js";

export const DIGEST_KEY = Buffer.from("digest_key");

/** The configured key, or else the key in the environment. The first call makes that key. */
export function openDigestKey(
  { singletons, putOnce }: Pick<Environment, "singletons" | "putOnce">,
  { run }: Lifetime,
  given: Buffer | undefined,
): Pick<OutputsStore, "digestKey"> {
  let known = given;
  return {
    digestKey: () =>
      run(async () => {
        known ??= await putOnce(singletons, DIGEST_KEY, randomBytes(DIGEST_KEY_BYTES));
        return known;
      }),
  };
}
