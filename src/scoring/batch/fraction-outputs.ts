import { hash } from "node:crypto";
import { relocated } from "../../errors.js";
import type { Text } from "../../ranker/port.js";
import { firstFailure, type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { KeptMatrix, ModelPorts, WantedRecord, Watch } from "../ports.js";
import type { ExactFraction } from "./plan.js";

/** The fewest samples to draw, because fewer do not suffice for a calibration. A smaller batch is scored exactly. */
export const DRAWN_MIN = 10;

/** Which of N samples have known gradients, and which samples were drawn. */
export interface DrawnSamples {
  /** (N) True if the sample was drawn or the store had its gram. */
  readonly exact: readonly boolean[];
  /** (m) Indices of a simple random sample of the batch, in random order. */
  readonly indices: Uint32Array;
}

/**
 * Outputs of which a random fraction has grams. The norms graph runs on the drawn samples, and the forward graph on the rest;
 * unknown grams are zeros. Seed and texts alone decide which samples are drawn, never the cache, so what they say about the
 * batch is unbiased. A gram that the store happens to have is also given.
 */
export async function fractionOutputs(
  ports: ModelPorts,
  texts: readonly Text[],
  { asked, ...fraction }: ExactFraction & { readonly asked: readonly KeptMatrix[] },
  watch: Watch,
): Promise<{ outputs: KnownOutputs; drawn: DrawnSamples }> {
  const drawn = drawSamples(texts, fraction);
  const isDrawn = new Uint8Array(texts.length);
  for (const index of drawn) isDrawn[index] = 1;
  const rest = Uint32Array.from(texts.keys()).filter((index) => isDrawn[index] === 0);
  const run = async (indices: Uint32Array, wanted: WantedRecord): Promise<Part> => {
    const own = Array.from(indices, (index) => texts[index] as Text);
    const outputs = await knownOutputs(ports, own, wanted, watch).catch((error: unknown) => {
      throw relocated(error, (place) => indices[place] ?? place);
    });
    return { indices, outputs };
  };

  const parts = [await run(drawn, { graph: "norms", asked })];
  if (rest.length > 0) {
    // A text may occur in both parts. Its gram must be in the store before the forward part looks the text up.
    await parts[0]?.outputs.kept;
    parts.push(await run(rest, { graph: "forward", precision: "fp32", asked }));
  }
  const outputs = gathered(texts.length, parts);
  const exact = texts.map((_, index) => outputs.gramOf(index) !== undefined);
  return { outputs, drawn: { indices: drawn, exact } };
}

/**
 * A simple random sample of the texts, without replacement, in random order: the texts with the smallest digests of seed and
 * text. A text's digest does not depend on its batch or its position. So batches with the same layout (for example, a positive
 * sample first) do not always draw the same kind of sample. The digest of a repeated text includes how many equal texts came
 * before it; otherwise equal texts would be drawn together.
 */
export function drawSamples(texts: readonly Text[], { fraction, seed }: ExactFraction): Uint32Array {
  const size = Math.min(texts.length, Math.max(DRAWN_MIN, Math.ceil(fraction * texts.length)));
  const seen = new Map<string, number>();
  const luck = texts.map(({ first, second }) => {
    const content = JSON.stringify([seed, first, second]);
    const before = seen.get(content) ?? 0;
    seen.set(content, before + 1);
    return hash("sha256", `${before} ${content}`);
  });
  const order = [...texts.keys()].sort((a, b) => ((luck[a] as string) < (luck[b] as string) ? -1 : 1));
  return Uint32Array.from(order.slice(0, size));
}

interface Part {
  /** (n) The position in the batch of each of the part's samples. */
  readonly indices: Uint32Array;
  readonly outputs: KnownOutputs; // of n samples
}

/** Joins the parts into one batch again. Each sample is in exactly one part. */
function gathered(count: number, parts: readonly Part[]): KnownOutputs {
  const classes = (parts[0] as Part).outputs.classes;
  const logits = new Float32Array(count * classes);
  const featureNormsSquared = new Float32Array(count);
  const gram = new Float32Array(count * classes * classes);
  const places = new Map<number, { outputs: KnownOutputs; at: number }>();
  for (const { indices, outputs } of parts) {
    for (const [at, index] of indices.entries()) {
      places.set(index, { outputs, at });
      logits.set(outputs.logits.subarray(at * classes, (at + 1) * classes), index * classes);
      featureNormsSquared[index] = outputs.featureNormsSquared[at] as number;
      const own = outputs.gramOf(at);
      if (own !== undefined) gram.set(own, index * classes * classes);
    }
  }
  const each = <T>(read: (outputs: KnownOutputs, at: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => {
      const { outputs, at } = places.get(index) as { outputs: KnownOutputs; at: number };
      return read(outputs, at);
    });
  const gramAt = each((outputs, at) => outputs.gramOf(at));
  const embedding = joined(count, parts, "embedding");
  const failures = parts.map(({ outputs }) => outputs.storeFailure);
  return {
    classes,
    logits,
    featureNormsSquared,
    gram,
    ...(embedding && { embedding }),
    gramOf: (index) => gramAt[index],
    // If the store failed there are no keys, and nothing later needs one.
    keys: failures.some((failure) => failure !== null)
      ? []
      : each((outputs, at) => outputs.keys[at] as KnownOutputs["keys"][number]),
    cached: each((outputs, at) => outputs.cached[at] as boolean),
    truncated: each((outputs, at) => outputs.truncated[at] as boolean),
    storeFailure: failures.find((failure) => failure !== null) ?? null,
    kept: firstFailure(parts.map(({ outputs }) => outputs.kept)),
  };
}

/** (N, …) A matrix that was asked of both parts; undefined if it was not. */
function joined(count: number, parts: readonly Part[], name: KeptMatrix): Float32Array | undefined {
  let matrix: Float32Array | undefined;
  for (const { indices, outputs } of parts) {
    const own = outputs[name];
    if (own === undefined) return undefined;
    const width = own.length / indices.length;
    matrix ??= new Float32Array(count * width);
    for (const [at, index] of indices.entries())
      matrix.set(own.subarray(at * width, (at + 1) * width), index * width);
  }
  return matrix;
}
