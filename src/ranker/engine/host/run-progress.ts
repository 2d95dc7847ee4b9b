import type { AssayError } from "../../../errors.js";
import type { Priority } from "../../batch-planner.js";
import type { Work } from "../../graphs.js";
import type { Text } from "../../port.js";
import type { EngineOutputs, Matrices, RunPart } from "../protocol.js";
import { gatherRows, scatterRows } from "../rows.js";

/** A request to run texts in an engine process. */
export interface RunRequest {
  readonly texts: readonly Text[];
  readonly work: Work;
  /** (N, K) coefficients of accumulate, (N, 1) α of attribution; null for the other graphs. */
  readonly coefficients: Float32Array | null;
  readonly priority: Priority;
  /** (N) Cost in tokens of the forward graph. It is an estimate until the tokenizer has counted. */
  readonly tokens: Float64Array;
}

/** The progress of a run's rows. */
export interface Run extends RunRequest {
  readonly id: number;
  readonly outputs: { -readonly [M in keyof Matrices]: Float32Array }; // allocated with the first batch, which shows their widths
  readonly truncated: Uint8Array;
  readonly state: Uint8Array; // (N) of State
  readonly strikes: Uint8Array; // (N) counts the ends of the process while the text ran alone
  rowsLeft: number;
  tokensLeft: number;
  /** Times the process ended while it tokenised this run. */
  tokeniseCrashes: number;
  readonly addedAtMs: number;
  /** When it was first sent to a process. */
  sentAtMs: number | null;
  tokenisedAtMs: number | null;
  startedAtMs: number | null;
  readonly resolve: (outputs: EngineOutputs) => void;
  readonly reject: (error: AssayError) => void;
}

export function newRun(id: number, request: RunRequest, settle: Pick<Run, "resolve" | "reject">): Run {
  const rows = request.texts.length;
  return {
    ...request,
    ...settle,
    id,
    outputs: {},
    truncated: new Uint8Array(rows),
    state: new Uint8Array(rows),
    strikes: new Uint8Array(rows),
    rowsLeft: rows,
    tokensLeft: 0,
    tokeniseCrashes: 0,
    addedAtMs: performance.now(),
    sentAtMs: null,
    tokenisedAtMs: null,
    startedAtMs: null,
  };
}

export const State = { untokenised: 0, waiting: 1, suspect: 2, done: 3 } as const;

/** The rows that are in one of these states, as a part to send to a process. */
export function partsOf(
  run: Run,
  states: readonly number[],
  rows: readonly number[] = allRows(run),
): RunPart[] {
  const left = rows.filter((row) => states.includes(run.state[row] as number));
  if (left.length === 0) return [];
  const { id, work, priority, coefficients } = run;
  const texts = left.map((row) => run.texts[row] as Text);
  return [
    {
      run: id,
      texts,
      rows: left,
      work,
      coefficients: coefficients && gatherRows(coefficients, run.texts.length, left),
      priority,
      alone: states[0] === State.suspect,
    },
  ];
}

function allRows({ texts }: Run): number[] {
  return texts.map((_, row) => row);
}

/** Copies the outputs of a batch to their rows of the run. */
export function scatter(from: Matrices, rows: readonly number[], { outputs, texts }: Run): void {
  for (const [name, matrix] of Object.entries(from) as [keyof Matrices, Float32Array][]) {
    outputs[name] ??= new Float32Array((matrix.length / rows.length) * texts.length);
    scatterRows(matrix, rows, outputs[name]);
  }
}

/** The outputs of a finished run. The sum of its three timings is the time of the whole run. */
export function outputsOf(run: Run): EngineOutputs {
  const endedAtMs = performance.now();
  const sentAtMs = run.sentAtMs ?? endedAtMs;
  const tokenisedAtMs = run.tokenisedAtMs ?? endedAtMs;
  const startedAtMs = run.startedAtMs ?? endedAtMs;
  return {
    logits: new Float32Array(0),
    featureNormsSquared: new Float32Array(0),
    ...run.outputs,
    truncated: run.truncated,
    timings: {
      tokeniseMs: tokenisedAtMs - sentAtMs,
      queueMs: sentAtMs - run.addedAtMs + (startedAtMs - tokenisedAtMs),
      inferMs: endedAtMs - startedAtMs,
    },
  };
}
