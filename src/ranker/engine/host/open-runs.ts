import { AssayError } from "../../../errors.js";
import type { Priority } from "../../batch-planner.js";
import { COST, type Work } from "../../graphs.js";
import type { Text } from "../../port.js";
import { charactersOf } from "../../token-estimate.js";
import type { BatchPart, EngineOutputs, FromEngine, RunPart } from "../protocol.js";
import { type FatalTexts, textRefused } from "./fatal-texts.js";
import { newRun, outputsOf, partsOf, type Run, type RunRequest, State, scatter } from "./run-progress.js";

/** A message about a run or a batch. */
export type Progress = Extract<
  FromEngine,
  { type: "tokenised" | "refused" | "started" | "finished" | "batch_failed" }
>;

/**
 * The runs of one engine process: for each, what is left and the outputs so far. They outlive the process, so that the next
 * process runs only the rows that are left.
 */
export interface OpenRuns {
  size(): number;
  /** The number of tokens that wait or run, of one priority or of both. */
  tokens(priority?: Priority): number;
  add(request: RunRequest): { readonly run: number; readonly outputs: Promise<EngineOutputs> };
  /** The rows that are left, of one run or of all, in parts to send to an engine process. */
  left(run?: number): RunPart[];
  /**
   * A part of the run is being sent to the process. The time before, for example for a direction, counts as waiting in the queue.
   */
  sent(run: number): void;
  /** Handles a message. Answers the parts that have to be sent again. */
  receive(message: Progress): RunPart[];
  /**
   * The process has ended. Rows that were in a session run alone next time. A row that ran alone is refused. If the process was
   * killed from outside, the row is refused only after the second time, because that may be chance.
   */
  crashed(death: { readonly killed: boolean }): void;
  reject(run: number, error: AssayError): void;
  /** Rejects the runs whose work has this operand; answers which they were. */
  rejectOperand(operand: string, error: AssayError): number[];
}

/** A text is refused after this many strikes. A crash while it runs alone gives two, a kill from outside gives one. */
const STRIKES_MAX = 2;

export interface OpenRunsOptions {
  readonly fatalTexts: FatalTexts;
  /** Called with the characters and tokens of texts that the tokenizer has counted and not cut. */
  readonly onTokenised: (characters: number, tokens: number) => void;
  /** `tokens()` has changed. */
  readonly onQueue: () => void;
}

export function createOpenRuns({ fatalTexts, onTokenised, onQueue }: OpenRunsOptions): OpenRuns {
  const runs = new Map<number, Run>();
  const batches = new Map<number, readonly BatchPart[]>();
  let nextRun = 1;
  const tokens: Record<Priority, number> = { interactive: 0, bulk: 0 };

  function settle(run: Run, how: () => void): void {
    runs.delete(run.id);
    count(run, -run.tokensLeft);
    how();
  }

  function count(run: Run, more: number): void {
    run.tokensLeft += more;
    tokens[run.priority] += more;
    onQueue();
  }

  function tokenised(run: Run, { rows, tokens, truncated }: Progress & { type: "tokenised" }): void {
    run.tokenisedAtMs ??= performance.now();
    let more = 0;
    let wholeCharacters = 0;
    let wholeTokens = 0;
    rows.forEach((row, index) => {
      if (truncated[index] === 0) {
        wholeCharacters += charactersOf(run.texts[row] as Text);
        wholeTokens += tokens[index] as number;
      }
      const cost = (tokens[index] as number) * COST[run.work.graph];
      more += cost - (run.tokens[row] as number);
      run.tokens[row] = cost;
      run.truncated[row] = truncated[index] as number;
      if (run.state[row] === State.untokenised) run.state[row] = State.waiting;
    });
    onTokenised(wholeCharacters, wholeTokens);
    count(run, more);
  }

  function finished({ parts }: Progress & { type: "finished" }): void {
    for (const { run: id, rows, outputs } of parts) {
      const run = runs.get(id);
      if (run === undefined) continue;
      scatter(outputs, rows, run);
      let done = 0;
      for (let index = 0; index < rows.length; index++) {
        const row = rows[index] as number;
        run.state[row] = State.done;
        done += run.tokens[row] as number;
      }
      count(run, -done);
      run.rowsLeft -= rows.length;
      if (run.rowsLeft === 0) settle(run, () => run.resolve(outputsOf(run)));
    }
  }

  /** Marks the rows of a batch that failed. Calls `condemn` for a row that already ran alone. */
  function suspect(parts: readonly BatchPart[], condemn: (run: Run, row: number) => void): void {
    for (const { run: id, rows } of parts) {
      const run = runs.get(id);
      if (run === undefined) continue;
      for (const row of rows) {
        if (run.state[row] === State.suspect) condemn(run, row);
        else run.state[row] = State.suspect;
      }
    }
  }

  return {
    size: () => runs.size,
    tokens: (priority) => (priority === undefined ? tokens.interactive + tokens.bulk : tokens[priority]),
    add(request) {
      const id = nextRun++;
      const outputs = new Promise<EngineOutputs>((resolve, reject) => {
        const run = newRun(id, request, { resolve, reject });
        runs.set(id, run);
        count(
          run,
          request.tokens.reduce((sum, length) => sum + length, 0),
        );
      });
      return { run: id, outputs };
    },
    left(only) {
      return [...runs.values()]
        .filter(({ id }) => only === undefined || id === only)
        .flatMap((run) => [
          ...partsOf(run, [State.untokenised, State.waiting]),
          ...partsOf(run, [State.suspect]),
        ]);
    },
    sent(id) {
      const run = runs.get(id);
      if (run !== undefined) run.sentAtMs ??= performance.now();
    },
    receive(message) {
      switch (message.type) {
        case "tokenised": {
          const run = runs.get(message.run);
          if (run !== undefined) tokenised(run, message);
          return [];
        }
        case "started":
          batches.set(message.batch, message.parts);
          for (const { run } of message.parts) {
            const found = runs.get(run);
            if (found !== undefined) found.startedAtMs ??= performance.now();
          }
          return [];
        case "finished":
          batches.delete(message.batch);
          finished(message);
          return [];
        case "batch_failed": {
          const parts = batches.get(message.batch) ?? [];
          batches.delete(message.batch);
          if (message.of === "graph") {
            for (const { run: id } of parts) {
              const run = runs.get(id);
              if (run !== undefined) settle(run, () => run.reject(graphFailed(run.work, message.reason)));
            }
            return [];
          }
          suspect(parts, (run, row) => settle(run, () => run.reject(sessionFailed(row, message.reason))));
          return parts.flatMap(({ run: id, rows }) => {
            const run = runs.get(id);
            return run === undefined ? [] : partsOf(run, [State.suspect], rows);
          });
        }
        case "refused": {
          const run = runs.get(message.run);
          if (run !== undefined)
            settle(run, () => run.reject(new AssayError("engine_failed", { detail: message.reason })));
          return [];
        }
      }
    },
    crashed({ killed }) {
      const started = [...batches.values()].flat();
      batches.clear();
      suspect(started, (run, row) => {
        run.strikes[row] = (run.strikes[row] as number) + (killed ? 1 : STRIKES_MAX);
        if ((run.strikes[row] as number) < STRIKES_MAX) return;
        fatalTexts.add(run.texts[row] as Text);
        settle(run, () => run.reject(textRefused(row)));
      });
      if (started.length > 0) return;
      const tokenising = [...runs.values()].find(({ state }) => state.includes(State.untokenised));
      if (tokenising === undefined) return;
      tokenising.tokeniseCrashes += 1;
      if (tokenising.tokeniseCrashes === 2) {
        const detail = "The engine process ended twice while it tokenised these texts";
        settle(tokenising, () => tokenising.reject(new AssayError("engine_failed", { detail })));
      }
    },
    reject(id, error) {
      const run = runs.get(id);
      if (run !== undefined) settle(run, () => run.reject(error));
    },
    rejectOperand(operand, error) {
      const rejected = [...runs.values()].filter(({ work }) => work.operand === operand);
      for (const run of rejected) settle(run, () => run.reject(error));
      return rejected.map(({ id }) => id);
    },
  };
}

function sessionFailed(row: number, reason: string): AssayError {
  return new AssayError("engine_failed", {
    detail: `The model fails on a text, even if it runs alone: ${reason}`,
    faults: [{ sample: row, path: "", message: reason }],
  });
}

function graphFailed({ graph }: Work, reason: string): AssayError {
  return new AssayError("model_invalid", { detail: `The model's ${graph}.onnx cannot run: ${reason}` });
}
