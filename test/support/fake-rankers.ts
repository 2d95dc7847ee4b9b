import { setTimeout as delay } from "node:timers/promises";
import { AssayError } from "../../src/errors.js";
import {
  type DirectionVector,
  type GradientGraph,
  gives,
  type LearnedDescription,
  type ModelDescription,
  type Outputs,
  type Ranker,
  type RankerState,
  type Rankers,
  type Text,
  type Token,
  type Wanted,
} from "../../src/ranker/port.js";
import { fakeAccumulation } from "./fake-accumulation.js";
import { digestOf, fakeGradients, PARAMETERS } from "./fake-gradients.js";

/**
 * A ranker whose logits are a digest of the text, and so are their gradients over a handful of parameters: grams, tangents
 * and sums agree with one another. No model, and every run counted.
 */
export interface FakeRanker extends Ranker {
  /** Texts that ran, in order; those of an accumulation too. */
  readonly ran: Text[];
  /** What each run was asked for. */
  readonly wanted: Wanted[];
  /** Matrices that the trees were asked about. */
  readonly matrices: Float32Array[];
  setState(state: RankerState): void;
  /** Makes every run wait this long. */
  setDelayMs(delayMs: number): void;
  /** Makes the next runs fail. */
  failWith(error: AssayError | null): void;
}

export interface FakeModel {
  readonly name?: string;
  readonly version?: string;
  readonly task?: ModelDescription["task"];
  readonly classes?: number;
  readonly gradientGraphs?: readonly GradientGraph[];
  readonly gradientScope?: string;
  readonly embedding?: ModelDescription["embedding"];
  readonly learned?: LearnedDescription | null;
}

export function fakeRanker({
  name = "default",
  version = "0123456789abcdef",
  task = "binary",
  classes = 1,
  gradientGraphs = ["norms", "tangent", "accumulate"],
  gradientScope = "all",
  embedding = null,
  learned = null,
}: FakeModel = {}): FakeRanker {
  const ran: Text[] = [];
  const asked: Wanted[] = [];
  const matrices: Float32Array[] = [];
  let state: RankerState = { status: "ready" };
  let delayMs = 0;
  let failure: AssayError | null = null;

  async function work(
    graph: Wanted["graph"] | "accumulate" | "attribution",
    texts: readonly Text[],
    signal: AbortSignal,
  ): Promise<void> {
    if (graph !== "forward" && !gradientGraphs.includes(graph)) throw new AssayError("unsuitable_graph");
    if (state.status !== "ready") throw new AssayError("model_not_ready", { detail: state.reason });
    if (delayMs > 0) await delay(delayMs);
    if (signal.aborted) throw signal.reason;
    if (failure !== null) throw failure;
    ran.push(...texts);
  }

  return {
    ran,
    wanted: asked,
    matrices,
    model: {
      name,
      version,
      task,
      classes,
      classNames: null,
      tokensMax: 256,
      precisions: ["fp32"],
      precision: "fp32",
      gradientGraphs,
      gradientGraphsUnsupported: null,
      gradientScope: gradientGraphs.length === 0 ? null : gradientScope,
      embedding,
      contentDigests: { fp32: `${name}-${version}`, tangent: `${name}-${version}-tangent` },
      weightsDigest: digestOf(`${name}-${version}`).toString("hex"),
      learned,
      provenance: {},
      metrics: {},
      licence: { spdx: "Apache-2.0" },
    },
    state: () => state,
    settled: async () => state,
    memoryBytes: async () => (state.status === "ready" ? 300_000_000 : null),
    setState(next) {
      state = next;
    },
    setDelayMs(next) {
      delayMs = next;
    },
    failWith(error) {
      failure = error;
    },
    async run(texts, wanted, { signal }) {
      await work(wanted.graph, texts, signal);
      asked.push(wanted);
      if (gives(wanted, "embedding") && embedding === null) throw new AssayError("unsuitable_graph");
      return fakeOutputs(texts, { classes, embeddingSize: embedding?.size ?? 0 }, wanted);
    },
    tokens: async (text) => fakeTokens(text),
    /** z(α) = z(1) − Σ_t g_t (3/2 − α − α²/2), so that each token's integral is 3/2 g_t. */
    async attribute(text, tokens, alphas, { signal }) {
      await work("attribution", [text], signal);
      const { logits } = await fakeOutputs([text], { classes, embeddingSize: 0 }, FORWARD);
      const slopes = fakeSlopes(tokens, classes);
      const sums = slopes.map((row) => row.reduce((sum, slope) => sum + slope, 0));
      return {
        logits: Float32Array.from(
          alphas.flatMap((alpha) =>
            sums.map((sum, k) => (logits[k] as number) - sum * (1.5 - alpha - alpha ** 2 / 2)),
          ),
        ),
        attributions: Float32Array.from(
          alphas.flatMap((alpha) => slopes.flatMap((row) => row.map((slope) => slope * (1 + alpha)))),
        ),
      };
    },
    async accumulate() {
      return fakeAccumulation(classes, (texts, { signal }) => work("accumulate", texts, signal));
    },
    /** The sum of each row, NaN as 100. */
    async learned(matrix) {
      matrices.push(matrix);
      const { features, signals, extras } = (learned as LearnedDescription).inputs;
      const width = features + signals.length + extras.length;
      return Float32Array.from({ length: matrix.length / width }, (_, row) =>
        matrix
          .subarray(row * width, (row + 1) * width)
          .reduce((sum, value) => sum + (Number.isNaN(value) ? 100 : value), 0),
      );
    },
    close: async () => undefined,
  };
}

const FORWARD = { graph: "forward", precision: "fp32" } as const;

/** Each word is a token, between two special ones. */
function fakeTokens(text: Text): Token[] {
  const special: Token = { id: 0, part: null };
  const parts = (["first", "second"] as const).flatMap((part) =>
    [...(text[part] ?? "").matchAll(/\S+/g)].map(({ 0: word, index }): Token => {
      return { id: 1, part, start: index, end: index + word.length };
    }),
  );
  return [special, ...parts, special];
}

/** (K)(T) 0 for special tokens, and growing with the token's place for the others. */
export function fakeSlopes(tokens: readonly Token[], classes: number): number[][] {
  return Array.from({ length: classes }, (_, k) =>
    tokens.map(({ part }, t) => (part === null ? 0 : (t * (k + 1)) / 10)),
  );
}

/** Models that cannot be replaced: what replaces them is tested on real ones. */
export function fakeRankers(...rankers: readonly FakeRanker[]): Rankers {
  const known = rankers.length > 0 ? rankers : [fakeRanker()];
  function get(name: string): FakeRanker {
    const found = known.find(({ model }) => model.name === name);
    if (found === undefined) throw new AssayError("model_not_found", { detail: `No model is named ${name}` });
    return found;
  }
  async function refuse(name: string): Promise<never> {
    throw new AssayError("model_busy", { detail: `Model ${get(name).model.name} is a fake` });
  }
  return {
    defaultName: (known[0] as FakeRanker).model.name,
    describe: () => known.map(({ model }) => model),
    faulty: () => [],
    inspect: (name) => ({
      model: get(name).model,
      memory: { forwardBytes: 400_000_000, allGraphsBytes: 1_200_000_000 },
      state: get(name).state(),
    }),
    manifest: (name) => ({ format: 1, name: get(name).model.name, parameters: [] }),
    memoryBytes: async (name) => get(name).memoryBytes(),
    get,
    use: async (name, work) => work(get(name)),
    reload: refuse,
    replaceWeights: refuse,
    close: async () => undefined,
  };
}

/** Logits from −4 to 4, ‖h‖² from 0 to 16 and embeddings from −1 to 1, by the text alone; features of equal entries. */
async function fakeOutputs(
  texts: readonly Text[],
  { classes, embeddingSize }: { readonly classes: number; readonly embeddingSize: number },
  wanted: Wanted,
): Promise<Outputs> {
  const digests = texts.map(({ first, second }) => digestOf(JSON.stringify([first, second])));
  const gradients = texts.map((text) => fakeGradients(text, classes));
  const vector = wanted.graph === "tangent" ? await vectorOf(wanted.direction) : null;
  const featureNormsSquared = Float32Array.from(digests, (digest) => (digest[31] as number) / 16);
  return {
    logits: Float32Array.from(
      digests.flatMap((digest) => Array.from({ length: classes }, (_, k) => (digest[k] as number) / 32 - 4)),
    ),
    featureNormsSquared,
    ...(gives(wanted, "gram") && {
      gram: Float32Array.from(gradients.flatMap((all) => all.flatMap((a) => all.map((b) => dot(a, b))))),
    }),
    ...(vector && {
      tangent: Float32Array.from(gradients.flatMap((all) => all.map((a) => dot(a, vector)))),
    }),
    ...(gives(wanted, "features") && {
      features: Float32Array.from(
        [...featureNormsSquared].flatMap((norm) => Array(FEATURES).fill(Math.sqrt(norm) / 2)),
      ),
    }),
    ...(gives(wanted, "embedding") && {
      embedding: Float32Array.from(
        digests.flatMap((digest) =>
          Array.from({ length: embeddingSize }, (_, d) => (digest[d % 32] as number) / 128 - 1),
        ),
      ),
    }),
    truncated: Uint8Array.from(texts, ({ first }) => (first.length > 1000 ? 1 : 0)),
    timings: { tokeniseMs: 0.1, queueMs: 0.2, inferMs: 0.3 },
  };
}

/** H. */
const FEATURES = 4;

async function vectorOf(direction: DirectionVector): Promise<Float32Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of direction.read()) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (bytes.length !== PARAMETERS * 4) throw new Error(`a direction of the fake has ${PARAMETERS} entries`);
  return Float32Array.from({ length: PARAMETERS }, (_, p) => bytes.readFloatLE(p * 4));
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, index) => sum + value * (b[index] as number), 0);
}
