import { AssayError, messageOf } from "../../errors.js";
import { padBatch } from "../engine/session/padding.js";
import type { Manifest } from "../manifest.js";
import type { Text } from "../port.js";
import type { TokenisedText, Tokeniser } from "../tokeniser.js";
import type { ExposedModel } from "./features.js";
import type { LastLayer } from "./last-layer.js";
import type { Answer, ProbeSession, Value } from "./probe-session.js";

/** What the checks found. Errors are relative to the largest value, or absolute if that is below 1. */
export interface ProbeFindings {
  /** Difference of the logits from features · weight + bias. */
  readonly lastLayerError: number;
  /** Difference of a text's logits and features alone from those in a batch with longer texts. */
  readonly batchError: number;
  /** The texts, each with its logits (K) when it runs alone. */
  readonly samples: readonly { readonly text: Text; readonly logits: readonly number[] }[];
}

/** Sizes of the last layer: K logits, H features. */
export interface HeadSizes {
  readonly classes: number;
  readonly features: number;
}

/** The part of a manifest that says how to run the graph. */
export type ProbedManifest = Pick<Manifest, "inputs" | "padding" | "max_tokens">;

/** Largest error that a check allows, as in the exporter. Rounding in float32 causes about 1e-6. */
const TOLERANCE = 1e-4;
const TOKENS_TRIED = 8;

const TEXTS: readonly Text[] = [
  { first: "usb c cable", second: "USB-C charging cable, 2 m" },
  {
    first: "wireless mouse",
    second: "Silent wireless mouse, 2.4 GHz receiver, 1600 dpi, grey, for left and right hand",
  },
  { first: "kopfhörer mit mikrofon", second: "Over-Ear-Kopfhörer, Bluetooth 5.3" },
  { first: "laptop 16gb", second: "" },
  { first: "a text alone", second: null },
];

/**
 * Runs the graph once on two rows to measure its answers. Throws `model_invalid` if they are not one row of logits and one row of
 * features for each text.
 */
export async function measureHead(
  session: ProbeSession,
  { weight }: ExposedModel,
  inputs: Manifest["inputs"],
  { transposed }: LastLayer,
): Promise<HeadSizes> {
  const rows = 2;
  const ids = { ids: new Int32Array(TOKENS_TRIED), typeIds: new Uint8Array(TOKENS_TRIED), truncated: false };
  const manifest = {
    inputs,
    padding: { id: 0, type_id: 0, side: "right" as const },
    max_tokens: TOKENS_TRIED,
  };
  const answer = await session.run(padBatch([ids, ids], manifest, { kind: "cpu" }), [
    "logits",
    "features",
    weight,
  ]);
  const [logits, features] = [answer("logits"), answer("features")];
  const shapes = `logits (${logits.dims.join(", ")}) and features (${features.dims.join(", ")})`;
  const [tall, wide] = answer(weight).dims as [number, number];
  const [sizeH, sizeK] = transposed ? [wide, tall] : [tall, wide];
  if (
    features.dims.length === 2 &&
    features.dims[0] === rows &&
    logits.dims.join() === [rows, sizeK].join()
  ) {
    return { classes: sizeK, features: sizeH };
  }
  const perToken = features.dims[1] === TOKENS_TRIED || features.dims[0] === rows * TOKENS_TRIED;
  throw refused(
    perToken
      ? `the last layer runs at every token (${shapes} for ${rows} texts of ${TOKENS_TRIED} tokens): this is a token classifier, not a ranker`
      : `the graph answers ${shapes} for ${rows} texts of ${TOKENS_TRIED} tokens, but (B, K) and (B, H) are needed`,
  );
}

/**
 * Checks that the exposed graph is what it seems to be: the last layer's arithmetic, the stock output, that an answer does not
 * depend on the other texts of the batch, and the longest input. Throws `model_invalid` naming the first check that fails.
 */
export async function probe(
  session: ProbeSession,
  model: ExposedModel,
  layer: LastLayer,
  manifest: ProbedManifest,
  tokenise: Tokeniser,
): Promise<ProbeFindings> {
  const rows = await tokenise(TEXTS);
  const run = (texts: readonly TokenisedText[], ...names: string[]): Promise<Answer> =>
    session.run(padBatch(texts, manifest, { kind: "cpu" }), ["logits", "features", ...names]);

  const extras = [model.weight, ...(model.bias === null ? [] : [model.bias]), model.stock];
  const together = await run(rows, ...new Set(extras));
  const [logits, features] = [together("logits"), together("features")];
  const product = multiply(
    features,
    together(model.weight),
    layer.transposed,
    model.bias === null ? undefined : together(model.bias),
  );
  const lastLayerError = largestError(logits.data, product);
  hold(lastLayerError, "its logits are not features · weight + bias");
  const stockError = largestError(together(model.stock).data, activate(logits, layer.activation));
  hold(stockError, "its own output is not the activation of the logits of its last layer");

  const alone: Answer[] = [];
  for (const row of rows) alone.push(await run([row]));
  const batchError = Math.max(
    ...(["logits", "features"] as const).map((name) =>
      largestError(Float32Array.from(alone.flatMap((answer) => [...answer(name).data])), together(name).data),
    ),
  );
  hold(
    batchError,
    "its answer to a text depends on the other texts of the batch, so the store could not keep answers by text",
  );

  await runLongest(rows[0] as TokenisedText, manifest.max_tokens, run);
  const samples = alone.map((answer, t) => ({ text: TEXTS[t] as Text, logits: [...answer("logits").data] }));
  return { lastLayerError, batchError, samples };
}

function hold(error: number, otherwise: string): void {
  if (error > TOLERANCE || Number.isNaN(error))
    throw refused(`${otherwise}: they differ by ${error.toPrecision(2)}`);
}

/** Runs one text with as many tokens as the model is said to accept. Throws `model_invalid`. */
async function runLongest(
  { ids }: TokenisedText,
  tokensMax: number,
  run: (texts: readonly TokenisedText[]) => Promise<Answer>,
): Promise<void> {
  const longest = Int32Array.from({ length: tokensMax }, (_, t) => ids[t % ids.length] as number);
  try {
    await run([{ ids: longest, typeIds: new Uint8Array(tokensMax), truncated: false }]);
  } catch (cause) {
    throw new AssayError("model_invalid", {
      detail: `the graph fails on a text of ${tokensMax} tokens: pass a smaller --max-tokens (${messageOf(cause)})`,
      cause,
    });
  }
}

/** (N, K) features (N, H) times weight (H, K), or (K, H) if transposed, plus the bias (K); summed in float64. */
function multiply(
  features: Value,
  weight: Value,
  transposed: boolean,
  bias: Value | undefined,
): Float64Array {
  const [rows, sizeH] = features.dims as [number, number];
  const sizeK = weight.data.length / sizeH;
  const product = new Float64Array(rows * sizeK);
  for (let n = 0; n < rows; n++) {
    for (let k = 0; k < sizeK; k++) {
      let sum = bias === undefined ? 0 : (bias.data[bias.data.length === 1 ? 0 : k] as number);
      for (let h = 0; h < sizeH; h++) {
        const w = weight.data[transposed ? k * sizeH + h : h * sizeK + k] as number;
        sum += (features.data[n * sizeH + h] as number) * w;
      }
      product[n * sizeK + k] = sum;
    }
  }
  return product;
}

/** Applies the stock graph's activation to logits (N, K). */
function activate({ dims, data }: Value, activation: LastLayer["activation"]): Float64Array {
  if (activation === null) return Float64Array.from(data);
  if (activation === "Sigmoid") return Float64Array.from(data, (z) => 1 / (1 + Math.exp(-z)));
  const classes = dims[1] as number;
  const exponentials = Float64Array.from(data, Math.exp);
  return exponentials.map((value, i) => {
    const row = Math.floor(i / classes) * classes;
    return value / exponentials.subarray(row, row + classes).reduce((a, b) => a + b);
  });
}

/** Largest difference, relative to the largest expected value if that is above 1. Infinite if the lengths differ. */
function largestError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 1;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [found[i] as number, expected[i] as number];
    largest = Math.max(largest, Math.abs(b));
    error = Math.max(error, Math.abs(a - b));
    if (Number.isNaN(a - b)) return Number.NaN;
  }
  return error / largest;
}

function refused(detail: string): AssayError {
  return new AssayError("model_invalid", { detail });
}
