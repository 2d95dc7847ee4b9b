import type { AssayError } from "../../../errors.js";
import type { Priority } from "../../batch-planner.js";
import type { Work } from "../../graphs.js";
import type { Outputs, Text } from "../../port.js";
import type { Matrices, RunPart } from "../protocol.js";
import { gatherRows, scatterRows } from "../rows.js";

/** Texts on their way through an engine process. */
export interface RunRequest {
  readonly texts: readonly Text[];
  readonly work: Work;
  /** (N, K) of accumulate, null for the other graphs. */
  readonly coefficients: Float32Array | null;
  readonly priority: Priority;
  /** (N) Guessed token counts, until the tokenizer has counted; in tokens of the forward graph. */
  readonly tokens: Float64Array;
}

/** What has become of a run's rows so far. */
export interface Run extends RunRequest {
  readonly id: number;
  readonly outputs: { -readonly [M in keyof Matrices]: Float32Array }; // allocated when the first batch tells their widths
  readonly truncated: Uint8Array;
  readonly state: Uint8Array; // (N) of State
  readonly strikes: Uint8Array; // (N) against texts under which, alone, a process ended
  rowsLeft: number;
  tokensLeft: number;
  /** Times the process ended while it tokenised this run. */
  tokeniseCrashes: number;
  readonly addedAtMs: number;
  /** When it first went to a process. */
  sentAtMs: number | null;
  tokenisedAtMs: number | null;
  startedAtMs: number | null;
  readonly resolve: (outputs: Outputs) => void;
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

/** The rows in one of these states, as they go to a process. */
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

/** Puts the rows of a batch where they belong in the run. */
export function scatter(from: Matrices, rows: readonly number[], { outputs, texts }: Run): void {
  for (const [name, matrix] of Object.entries(from) as [keyof Matrices, Float32Array][]) {
    outputs[name] ??= new Float32Array((matrix.length / rows.length) * texts.length);
    scatterRows(matrix, rows, outputs[name]);
  }
}

/** The three timings add up to the whole time of the run. */
export function outputsOf(run: Run): Outputs {
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
