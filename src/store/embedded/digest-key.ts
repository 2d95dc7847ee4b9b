import { randomBytes } from "node:crypto";
import type { Lifetime } from "../lifetime.js";
import { DIGEST_KEY_BYTES } from "../options.js";
import type { OutputsStore } from "../port.js";
import type { Environment } from "./environment.js";

const DIGEST_KEY = Buffer.from("digest_key");

/** The key that is given, or else the one that the environment keeps: the first who asks makes it. */
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
