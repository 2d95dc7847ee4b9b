import { AssayError } from "../../errors.js";
import type { ModelFolder } from "../model-folder.js";
import type { Precision, Text } from "../port.js";
import type { Tokeniser } from "../tokeniser.js";
import type { ForwardSession } from "./session.js";

/**
 * Runs the manifest's self-test: at fp32 the logits agree with PyTorch's within its tolerance, at other precisions they are
 * finite. Throws `model_invalid` naming the largest difference.
 */
export async function selfTest(
  { manifest }: ModelFolder,
  precision: Precision,
  tokenise: Tokeniser,
  session: ForwardSession,
): Promise<void> {
  const { samples, tolerance } = manifest.self_test;
  const { logits } = await session.run(samples.map((sample) => tokenise(textOf(sample))));
  samples.forEach((sample, s) => {
    sample.logits.forEach((expected, k) => {
      const found = logits[s * manifest.classes + k];
      const difference = Math.abs((found ?? Number.NaN) - expected);
      if (!Number.isFinite(difference) || (precision === "fp32" && difference > tolerance)) {
        throw new AssayError("model_invalid", {
          detail: `Self-test of ${manifest.name}: sample ${s} should answer logit ${expected} and answers ${found} (tolerance ${tolerance})`,
        });
      }
    });
  });
}

function textOf(sample: ModelFolder["manifest"]["self_test"]["samples"][number]): Text {
  return "text" in sample
    ? { first: sample.text, second: null }
    : { first: sample.query, second: sample.document };
}
