import { z } from "zod";
import { AssayError } from "../../../errors.js";
import { planBatches } from "../../batch-planner.js";
import type { Graph } from "../../graphs.js";
import type { Manifest } from "../../manifest.js";
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
 * How near logits have to be to the manifest's, which come from PyTorch: `exact` (fp32 on the CPU) within the tolerance, `int8`
 * as near as the export found the int8 graph, and `finite` (a GPU, whose products are TF32) anywhere.
 */
export type Closeness = "exact" | "int8" | "finite";

export function closenessOf(graph: Graph, device: Device): Closeness {
  if (device.kind !== "cpu") return "finite";
  return graph === "forward.int8" ? "int8" : "exact";
}

/**
 * Compares logits (N, K) of samples of the self-test with the manifest's. Throws `model_invalid` naming the first that is not
 * finite or too far off.
 */
export function checkSelfTest(
  { manifest }: ModelFolder,
  samples: readonly number[],
  logits: Float32Array | undefined,
  closeness: Closeness,
): void {
  const { classes, name, self_test } = manifest;
  samples.forEach((s, row) => {
    const expected = self_test.samples[s]?.logits ?? [];
    const found = expected.map((_, k) => logits?.[row * classes + k] ?? Number.NaN);
    const fault = faultOf(manifest, expected, found, closeness);
    if (fault === null) return;
    throw new AssayError("model_invalid", { detail: `Self-test of ${name}: sample ${s} ${fault}` });
  });
}

/** What is wrong with the logits (K) of one sample; null if nothing is. */
function faultOf(
  manifest: Manifest,
  expected: readonly number[],
  found: readonly number[],
  closeness: Closeness,
): string | null {
  const { tolerance } = manifest.self_test;
  for (const [k, logit] of found.entries()) {
    const difference = Math.abs(logit - (expected[k] as number));
    if (!Number.isFinite(difference) || (closeness === "exact" && difference > tolerance))
      return `should have the logit ${expected[k]} but has ${logit} (tolerance ${tolerance})`;
  }
  if (closeness !== "int8" || manifest.task === "regression") return null;
  const before = probabilitiesOf(expected);
  const shift = Math.max(...probabilitiesOf(found).map((p, k) => Math.abs(p - (before[k] as number))));
  const most = int8ShiftMax(manifest);
  return shift <= most
    ? null
    : `shifts a probability by ${shift.toFixed(3)} in int8, and at most ${most.toFixed(3)} is allowed: this CPU multiplies 8-bit ` +
        "integers otherwise than the one that exported the model (without VNNI their sums saturate). Use the precision fp32 on it";
}

/**
 * The largest shift of a probability that the int8 graph may cause in the self-test: twice the largest of the export's many texts,
 * where the manifest has it. Smaller shifts than the least limit say nothing of a CPU.
 */
function int8ShiftMax({ precision }: Manifest): number {
  const found = int8PrecisionSchema.safeParse(precision).data?.int8.probability_shift_max;
  return found === undefined ? INT8_SHIFT_UNKNOWN : Math.max(INT8_SHIFT_LEAST, 2 * found);
}

const INT8_SHIFT_LEAST = 0.1;
const INT8_SHIFT_UNKNOWN = 0.25;
const int8PrecisionSchema = z.looseObject({ int8: z.looseObject({ probability_shift_max: z.number() }) });

/** The sigmoid of one logit, or the softmax of several (K). */
function probabilitiesOf(logits: readonly number[]): number[] {
  const [only] = logits;
  if (logits.length === 1) return [1 / (1 + Math.exp(-(only as number)))];
  const largest = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
