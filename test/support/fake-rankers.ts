import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { AssayError } from "../../src/errors.js";
import type { ModelDescription, Outputs, Ranker, RankerState, Rankers, Text } from "../../src/ranker/port.js";

/** A ranker whose logits are a digest of the text: no model, and every run counted. */
export interface FakeRanker extends Ranker {
  /** Texts that ran, in order. */
  readonly ran: Text[];
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
}

export function fakeRanker({
  name = "default",
  version = "0123456789abcdef",
  task = "binary",
  classes = 1,
}: FakeModel = {}): FakeRanker {
  const ran: Text[] = [];
  let state: RankerState = { status: "ready" };
  let delayMs = 0;
  let failure: AssayError | null = null;
  return {
    ran,
    model: {
      name,
      version,
      task,
      classes,
      classNames: null,
      tokensMax: 256,
      precisions: ["fp32"],
      precision: "fp32",
      contentDigests: { fp32: `${name}-${version}` },
      provenance: {},
      metrics: {},
      licence: { spdx: "Apache-2.0" },
    },
    state: () => state,
    settled: async () => state,
    setState(next) {
      state = next;
    },
    setDelayMs(next) {
      delayMs = next;
    },
    failWith(error) {
      failure = error;
    },
    async run(texts, _precision, { signal }) {
      if (state.status !== "ready") throw new AssayError("model_not_ready", { detail: state.reason });
      if (delayMs > 0) await delay(delayMs);
      if (signal.aborted) throw signal.reason;
      if (failure !== null) throw failure;
      ran.push(...texts);
      return fakeOutputs(texts, classes);
    },
    close: async () => undefined,
  };
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
    inspect: (name) => ({ model: get(name).model, state: get(name).state() }),
    get,
    use: async (name, work) => work(get(name)),
    reload: refuse,
    replaceWeights: refuse,
    close: async () => undefined,
  };
}

/** Logits from −4 to 4 and ‖h‖² from 0 to 16, by the text alone. */
function fakeOutputs(texts: readonly Text[], classes: number): Outputs {
  const digests = texts.map(({ first, second }) =>
    createHash("sha256")
      .update(JSON.stringify([first, second]))
      .digest(),
  );
  return {
    logits: Float32Array.from(
      digests.flatMap((digest) => Array.from({ length: classes }, (_, k) => (digest[k] as number) / 32 - 4)),
    ),
    featureNormsSquared: Float32Array.from(digests, (digest) => (digest[31] as number) / 16),
    truncated: Uint8Array.from(texts, ({ first }) => (first.length > 1000 ? 1 : 0)),
    timings: { tokeniseMs: 0.1, queueMs: 0.2, inferMs: 0.3 },
  };
}
