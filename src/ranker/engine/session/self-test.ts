import { AssayError } from "../../../errors.js";
import { planBatches } from "../../batch-planner.js";
import type { ModelFolder } from "../../model-folder.js";
import type { Text } from "../../port.js";
import type { TokenisedText } from "../../tokeniser.js";
import type { Device } from "../protocol.js";
import { type PaddedBatch, padBatch } from "./padding.js";

/** Samples of the manifest's self-test in one batch. */
export interface SelfTestBatch {
  readonly batch: PaddedBatch;
  /** (N) For each row the index of its sample in the self-test. */
  readonly samples: readonly number[];
}

/** Texts of the manifest's self-test. */
export function selfTestTexts({ manifest }: ModelFolder): Text[] {
  return manifest.self_test.samples.map((sample) =>
    "text" in sample
      ? { first: sample.text, second: null }
      : { first: sample.query, second: sample.document },
  );
}

/**
 * A brief self-test runs rows of at most this many tokens, or else the shortest ones. They are enough to detect a wrong graph and
 * do not take long.
 */
const BRIEF_TOKENS_MAX = 64;

/** The self-test in batches of at most `tokensMax` padded tokens. `brief` leaves long rows out. */
export function selfTestBatches(
  { manifest }: ModelFolder,
  rows: readonly TokenisedText[],
  { device, tokensMax, brief }: { device: Device; tokensMax: number; brief: boolean },
): SelfTestBatch[] {
  const lengths = rows.map(({ ids }) => ids.length);
  const limit = brief ? Math.max(BRIEF_TOKENS_MAX, Math.min(...lengths)) : Number.POSITIVE_INFINITY;
  const taken = [...rows.keys()].filter((s) => (lengths[s] as number) <= limit);
  const batches = planBatches(
    taken.map((s) => lengths[s] as number),
    tokensMax,
  );
  return batches.map((indices) => {
    const samples = indices.map((index) => taken[index] as number);
    const texts = samples.map((s) => rows[s] as TokenisedText);
    return { batch: padBatch(texts, manifest, device), samples };
  });
}

/**
 * Compares logits (N, K) of samples of the self-test with the manifest's, which come from PyTorch. If `exact` (fp32 on the CPU),
 * they have to agree within the tolerance; otherwise they only have to be finite. Throws `model_invalid` naming the first that
 * fails.
 */
export function checkSelfTest(
  { manifest }: ModelFolder,
  samples: readonly number[],
  logits: Float32Array | undefined,
  { exact }: { exact: boolean },
): void {
  const { tolerance } = manifest.self_test;
  samples.forEach((s, row) => {
    manifest.self_test.samples[s]?.logits.forEach((expected, k) => {
      const found = logits?.[row * manifest.classes + k];
      const difference = Math.abs((found ?? Number.NaN) - expected);
      if (!Number.isFinite(difference) || (exact && difference > tolerance)) {
        throw new AssayError("model_invalid", {
          detail: `Self-test of ${manifest.name}: sample ${s} should have the logit ${expected} but has ${found} (tolerance ${tolerance})`,
        });
      }
    });
  });
}
