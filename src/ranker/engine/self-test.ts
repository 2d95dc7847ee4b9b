import { AssayError } from "../../errors.js";
import type { ModelFolder } from "../model-folder.js";
import type { Precision, Text } from "../port.js";

/** Texts of the manifest's self-test. */
export function selfTestTexts({ manifest }: ModelFolder): Text[] {
  return manifest.self_test.samples.map((sample) =>
    "text" in sample
      ? { first: sample.text, second: null }
      : { first: sample.query, second: sample.document },
  );
}

/**
 * Compares the self-test's logits (N, K) with the manifest's: at fp32 on the CPU they agree with PyTorch's within its
 * tolerance, elsewhere they are finite. Throws `model_invalid` naming the first that does not.
 */
export function checkSelfTest(
  { manifest }: ModelFolder,
  logits: Float32Array,
  { precision, onCpu }: { precision: Precision; onCpu: boolean },
): void {
  const { samples, tolerance } = manifest.self_test;
  const exact = precision === "fp32" && onCpu;
  samples.forEach((sample, s) => {
    sample.logits.forEach((expected, k) => {
      const found = logits[s * manifest.classes + k];
      const difference = Math.abs((found ?? Number.NaN) - expected);
      if (!Number.isFinite(difference) || (exact && difference > tolerance)) {
        throw new AssayError("model_invalid", {
          detail: `Self-test of ${manifest.name}: sample ${s} should answer logit ${expected} and answers ${found} (tolerance ${tolerance})`,
        });
      }
    });
  });
}
