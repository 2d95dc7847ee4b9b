import { AssayError } from "../errors.js";
import { createAccumulation } from "./accumulation.js";
import type { Priority } from "./batch-planner.js";
import { createFatalTexts } from "./engine/host/fatal-texts.js";
import { type EngineHost, startEngineHost } from "./engine/host/host.js";
import type { BatchFacts, Device } from "./engine/protocol.js";
import { COST, checkAsked, type Graph, graphFile, type Work, workOf } from "./graphs.js";
import { requireMemory } from "./memory.js";
import { estimateMemory } from "./memory-estimate.js";
import { describeModel, type ModelFolder } from "./model-folder.js";
import { parameterCount } from "./parameters.js";
import type { Caller, Precision, Ranker, RankerState, Text } from "./port.js";
import { createThroughput } from "./throughput.js";
import { createTokenEstimate } from "./token-estimate.js";
import { openTokens } from "./tokens.js";

/** Receives events of a running ranker, for the log and the metrics. */
export interface RankerObserver {
  batch(model: string, facts: BatchFacts): void;
  state(model: string, state: RankerState): void;
  /** Tokens that wait for the model or run in it, in tokens of the forward graph. */
  queued(model: string, tokens: number): void;
  /** The full text of an engine process's fault if it names paths. Answers never name paths. */
  fault(model: string, reason: string): void;
  /** An engine process ended, although nobody asked it to. */
  death(model: string, reason: string): void;
  /** An engine runs on `device`; `missing` says why it is not the one that was asked for. */
  device(model: string, device: Device, missing: string | null): void;
  /** The sessions of an engine cannot share the weights, and take more memory. */
  unshared(model: string, reason: string): void;
}

/** A device of the configuration. With `fallback`, the CPU is used if the device is not available. */
export interface DeviceChoice {
  readonly device: Device;
  readonly fallback: boolean;
}

export interface RankerOptions {
  readonly precision: Precision;
  /** Each device gets one engine process. */
  readonly devices: readonly DeviceChoice[];
  /** Sessions that run at the same time in the engine process of a CPU. */
  readonly sessions: number;
  /** Threads inside one operator of one session. */
  readonly threads: number;
  /** A run is refused while this many tokens of its priority wait. While fewer wait, a run of any size is accepted. */
  readonly queueTokensMax: number;
  /** Bytes of memory that the engine processes may still take; null if that is not known, or not to be checked. */
  readonly availableMemory: () => number | null;
  readonly observer: RankerObserver;
}

/** A run of at most this many tokens is interactive. This is about the size of one batch on a CPU. */
const INTERACTIVE_TOKENS_MAX = 512;

/** Starts the folder's engine processes and returns at once. `state` tells whether the model is ready. */
export function openRanker(folder: ModelFolder, options: RankerOptions): Ranker {
  const model = describeModel(folder, options.precision);
  const { observer, devices, precision, sessions, threads } = options;
  const estimate = createTokenEstimate(model.tokensMax);
  const throughput = createThroughput(devices.length);
  const fatalTexts = createFatalTexts();
  const estimated = estimateMemory(folder.manifest, options);
  const roomy = new Set<Graph>();
  let tokens: ReturnType<typeof openTokens> | null = null;
  const hosts: readonly EngineHost[] = devices.map(({ device, fallback }) =>
    startEngineHost({
      setup: { folder, precision, device, fallback, sessions, threads },
      fatalTexts,
      onBatch(facts) {
        throughput.observe(facts.cost, facts.inferMs, facts.coresShare);
        observer.batch(model.name, facts);
      },
      onTokenised: estimate.learn,
      onState: () => observer.state(model.name, state()),
      onFault: (reason) => observer.fault(model.name, reason),
      onDeath: (reason) => observer.death(model.name, reason),
      onDevice: (used, missing) => observer.device(model.name, used, missing),
      onUnshared: (reason) => observer.unshared(model.name, reason),
      onQueue: () => observer.queued(model.name, queuedTokens()),
    }),
  );

  function queuedTokens(priority?: Priority): number {
    return Math.max(0, Math.round(hosts.reduce((sum, host) => sum + host.tokens(priority), 0)));
  }

  /** The model is ready as soon as one device is. */
  function state(): RankerState {
    const states = hosts.map((host) => host.state());
    const found = (status: RankerState["status"]) => states.find((state) => state.status === status);
    return found("ready") ?? found("loading") ?? (states[0] as RankerState);
  }

  /** Throws `unsuitable_graph` if the folder lacks the graph, and `memory_insufficient` if its first use would not fit into memory. */
  function requireGraph(graph: Graph): void {
    graphFile(folder.manifest, graph);
    if (roomy.has(graph)) return;
    if (isOnCpu(options)) {
      requireMemory(
        `The ${graph} graph of model ${model.name}`,
        estimated.added[graph] ?? 0,
        options.availableMemory(),
      );
    }
    roomy.add(graph);
  }

  /** Estimates the cost of texts. Throws `overloaded` if the queue is full or too long for the deadline. */
  function admitted(
    texts: readonly Text[],
    { graph }: Work,
    caller: Caller,
  ): { tokens: Float64Array; priority: Priority } {
    const tokens = Float64Array.from(texts, (text) => estimate.of(text) * COST[graph]);
    const sum = tokens.reduce((total, cost) => total + cost, 0);
    const priority = sum <= INTERACTIVE_TOKENS_MAX ? "interactive" : "bulk";
    admit(sum, priority, caller);
    return { tokens, priority };
  }

  /**
   * Each priority has its own queue, so that waiting bulk does not cause the refusal of a small request, which goes before it.
   */
  function admit(tokens: number, priority: Priority, { deadlineAtMs }: Caller): void {
    const queued = queuedTokens(priority);
    const excess = queued - options.queueTokensMax;
    if (excess >= 0) {
      throw overloaded(
        `${queued} tokens wait for model ${model.name}; send the request again when fewer than ${options.queueTokensMax} wait`,
        throughput.timeMsFor(excess + 1),
      );
    }
    if (priority === "interactive" || deadlineAtMs === null || queued === 0) return;
    const leftMs = deadlineAtMs - performance.now();
    const lateMs = (throughput.timeMsFor(queued + tokens) ?? 0) - leftMs;
    // Do not start work that would miss its deadline.
    if (lateMs > 0) {
      throw overloaded(
        `${queued} tokens wait for model ${model.name}: this request would not finish in the ${Math.round(leftMs)} ms before its deadline`,
        lateMs,
      );
    }
  }

  /** The host with the fewest waiting tokens among those that have not failed. */
  function pickHost(): EngineHost {
    const usable = hosts.filter((host) => host.state().status !== "failed");
    const candidates = usable.length > 0 ? usable : hosts;
    return candidates.reduce((least, host) => (host.tokens() < least.tokens() ? host : least));
  }

  return {
    model,
    state,
    async settled() {
      await Promise.any(
        hosts.map(async (host) => {
          const settled = await host.settled();
          if (settled.status !== "ready") throw new Error(settled.status);
        }),
      ).catch(() => undefined);
      return state();
    },
    async run(texts, wanted, caller) {
      const work = workOf(wanted);
      requireGraph(work.graph);
      checkAsked(folder.manifest, work.asked);
      const { tokens, priority } = admitted(texts, work, caller);
      const direction = wanted.graph === "tangent" ? wanted.direction : null;
      return pickHost().run({ texts, work, coefficients: null, direction, priority, tokens }, caller.signal);
    },
    async tokens(text) {
      tokens ??= openTokens(folder).catch((error: unknown) => {
        tokens = null; // the file may come back
        throw error;
      });
      return (await tokens)(text);
    },
    async attribute(text, { length: width }, alphas, caller) {
      const work: Work = { graph: "attribution", asked: [], operand: null };
      requireGraph(work.graph);
      const texts = alphas.map(() => text);
      const { tokens, priority } = admitted(texts, work, caller);
      const coefficients = Float32Array.from(alphas);
      const { logits, attribution } = await pickHost().run(
        { texts, work, coefficients, direction: null, priority, tokens },
        caller.signal,
      );
      return { logits, attributions: narrowed(attribution, alphas.length * model.classes, width) };
    },
    async accumulate() {
      requireGraph("accumulate");
      const host = pickHost();
      const sums = host.openSums();
      const work: Work = { graph: "accumulate", asked: [], operand: sums.name };
      return createAccumulation({
        sums,
        count: parameterCount(folder.manifest),
        async run(texts, coefficients, caller) {
          const { tokens, priority } = admitted(texts, work, caller);
          await host.run({ texts, work, coefficients, direction: null, priority, tokens }, caller.signal);
        },
      });
    },
    async memoryBytes() {
      const known = (await Promise.all(hosts.map((host) => host.memoryBytes()))).filter(
        (bytes) => bytes !== null,
      );
      return known.length === 0 ? null : known.reduce((sum, bytes) => sum + bytes, 0);
    },
    async learned(matrix, signal) {
      if (model.learned === null) {
        throw new AssayError("unsuitable_signal", { detail: `Model ${model.name} has no learned.onnx` });
      }
      return pickHost().learned(matrix, signal);
    },
    async close() {
      await Promise.all(hosts.map((host) => host.close()));
    },
  };
}

/** The first `width` columns of a matrix of R rows; (R, width). */
function narrowed(matrix: Float32Array | undefined, rows: number, width: number): Float32Array {
  if (matrix === undefined)
    throw new AssayError("engine_failed", { detail: "The engine gave no attribution" });
  const wide = matrix.length / rows;
  const narrow = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) narrow.set(matrix.subarray(r * wide, r * wide + width), r * width);
  return narrow;
}

/** Whether the only engine runs on the CPU, or may have to. The estimates hold for no other. */
export function isOnCpu({ devices: [first, ...others] }: Pick<RankerOptions, "devices">): boolean {
  return others.length === 0 && (first?.device.kind === "cpu" || first?.fallback === true);
}

function overloaded(detail: string, retryAfterMs: number | null): AssayError {
  return new AssayError("overloaded", { detail, ...(retryAfterMs === null ? {} : { retryAfterMs }) });
}
