import { hash } from "node:crypto";
import { relocated } from "../../errors.js";
import type { Text, Wanted } from "../../ranker/port.js";
import { firstFailure, type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { ModelPorts, Watch } from "../ports.js";
import type { ExactFraction } from "./plan.js";

/** Fewer samples could not be calibrated with: a batch of fewer is scored exactly. */
export const DRAWN_MIN = 10;

/** Of which of N samples the gradients are known, and which were drawn for them. */
export interface DrawnSamples {
  /** (N) Drawn, or the store had its gram. */
  readonly exact: readonly boolean[];
  /** (m) Indices of a simple random sample of the batch, in random order. */
  readonly indices: Uint32Array;
}

/**
 * Outputs of which a random fraction has grams: the norms graph runs on the samples drawn, the forward graph on the rest, and
 * unknown grams are zeros. What is drawn follows from seed and texts alone, never from the cache, so what it tells of the batch is
 * unbiased; a gram that the store happens to have is given all the same.
 */
export async function fractionOutputs(
  ports: ModelPorts,
  texts: readonly Text[],
  fraction: ExactFraction,
  watch: Watch,
): Promise<{ outputs: KnownOutputs; drawn: DrawnSamples }> {
  const drawn = drawSamples(texts, fraction);
  const isDrawn = new Uint8Array(texts.length);
  for (const index of drawn) isDrawn[index] = 1;
  const rest = Uint32Array.from(texts.keys()).filter((index) => isDrawn[index] === 0);
  const run = async (indices: Uint32Array, wanted: Wanted): Promise<Part> => {
    const own = Array.from(indices, (index) => texts[index] as Text);
    const outputs = await knownOutputs(ports, own, wanted, watch).catch((error: unknown) => {
      throw relocated(error, (place) => indices[place] ?? place);
    });
    return { indices, outputs };
  };

  const parts = [await run(drawn, { graph: "norms" })];
  if (rest.length > 0) {
    // A text may stand in both parts: its gram must be in the store before the forward graph is asked for it.
    await parts[0]?.outputs.kept;
    parts.push(await run(rest, { graph: "forward", precision: "fp32" }));
  }
  const outputs = gathered(texts.length, parts);
  const exact = texts.map((_, index) => outputs.gramOf(index) !== undefined);
  return { outputs, drawn: { indices: drawn, exact } };
}

/**
 * A simple random sample of the texts, without replacement, in random order: those with the least digests of seed and text.
 * A text is drawn with the same luck in whatever batch and place it stands, so that batches laid out alike (a positive
 * first, say) do not draw samples of one kind. Equal texts differ by how many came before, or they would be drawn together.
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
  /** (n) Where in the batch the part's samples stand. */
  readonly indices: Uint32Array;
  readonly outputs: KnownOutputs; // of n samples
}

/** The batch put together again from its parts, which hold each sample once. */
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
  const failures = parts.map(({ outputs }) => outputs.storeFailure);
  return {
    classes,
    logits,
    featureNormsSquared,
    gram,
    gramOf: (index) => gramAt[index],
    // Where the store failed there are no keys, and nothing that needs one comes after.
    keys: failures.some((failure) => failure !== null)
      ? []
      : each((outputs, at) => outputs.keys[at] as KnownOutputs["keys"][number]),
    cached: each((outputs, at) => outputs.cached[at] as boolean),
    truncated: each((outputs, at) => outputs.truncated[at] as boolean),
    storeFailure: failures.find((failure) => failure !== null) ?? null,
    kept: firstFailure(parts.map(({ outputs }) => outputs.kept)),
  };
}
