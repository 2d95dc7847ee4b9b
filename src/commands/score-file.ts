import { openPorts, type Ports } from "../compose.js";
import { type Config, readConfig } from "../config.js";
import { AssayError } from "../errors.js";
import { BATCH_SIGNALS, isGroupLoss, type LossName, type SignalName } from "../importance/types.js";
import { multiplierOf, weigh } from "../importance/weights.js";
import { startStopwatch } from "../observe/stopwatch.js";
import type { Caller, Precision } from "../ranker/port.js";
import { modelNameOf } from "../scoring/batch/open-models.js";
import { defaultSignals } from "../scoring/batch/plan.js";
import { checkRequest, scoreSamples } from "../scoring/batch/score.js";
import { suitLoss } from "../scoring/requests/checks.js";
import { sampleBatches } from "../scoring/requests/sample-batches.js";
import type { ScoreRequest } from "../scoring/requests/score-request.js";
import {
  type WeightingRequest,
  weighedScores,
  weighedSignals,
  weighOptions,
} from "../scoring/requests/weighting.js";
import { abortOnSignals, withKept } from "./endings.js";
import { createFieldMap, type FieldMapOptions } from "./input/field-map.js";
import { checkInput, type Input } from "./input/input.js";
import { type FiledSample, type InputFormat, readSampleFile } from "./input/sample-file.js";
import { inWordsOfOptions } from "./option-faults.js";
import { createCollector } from "./output/collector.js";
import type { Sorting, Top } from "./output/order.js";
import { type Output, openOutput } from "./output/output-file.js";
import { createRowWriter, type RowFormat } from "./output/row-writer.js";
import { type CarriedName, carry, type OutputRow } from "./output/rows.js";
import { createProgress, NO_PROGRESS, type Progress } from "./progress.js";
import { type WeightingOptions, weightingOf } from "./weighting-options.js";

export interface ScoreOptions extends WeightingOptions, FieldMapOptions {
  readonly from?: InputFormat;
  readonly output?: string;
  readonly format: RowFormat;
  readonly with: readonly CarriedName[];
  readonly sort?: Sorting;
  readonly top?: Top;
  readonly model?: string;
  readonly dataset?: string;
  readonly signals?: SignalName[];
  readonly loss?: LossName;
  readonly precision?: Precision;
  readonly direction?: string;
  readonly reference?: string;
  readonly batch: number;
}

/** What the steps of one call of the command need. */
interface Run {
  readonly options: ScoreOptions;
  readonly weighting: WeightingRequest | null;
  readonly input: Input;
  readonly ports: Ports;
  readonly progress: Progress;
  readonly caller: Caller;
  /** The samples of the input, from its beginning. */
  batches(): AsyncIterable<FiledSample[]>;
}

/**
 * Scores a file. Faults of the options are thrown before the model loads. Faults of a sample are thrown before the first sample
 * is scored, unless the input is a pipe, which can be read only once.
 */
export async function scoreFile(path: string, options: ScoreOptions): Promise<void> {
  const config = readConfig({ ASSAY_LOG_LEVEL: "warn", ...process.env });
  const input = checkInput(path);
  const weighting = weightingOf(options);
  if (options.top !== undefined && options.sort === undefined)
    throw new AssayError("input_invalid", {
      detail: "--top needs --sort: add it to say which rows come first",
    });
  if (options.output !== undefined && input.isFile(options.output))
    throw new AssayError("output_invalid", {
      detail: `${options.output} is also the input: name another output`,
    });
  const batches = batchReader(input, options, config);

  const output = await openOutput(options.output);
  const ending = abortOnSignals();
  // If the terminal shows the rows themselves, no other progress is needed.
  const progress = output.isTerminal ? NO_PROGRESS : createProgress(process.stderr);
  let ports: Ports | null = null;
  try {
    ports = await openPorts(config);
    const caller = { signal: ending.signal, deadlineAtMs: null };
    await scoreTo(output, {
      options,
      weighting,
      input,
      ports,
      progress,
      caller,
      batches: () => batches(ending.signal),
    });
    await output.finish();
  } catch (error) {
    const kept = await output.abandon();
    throw withKept(
      ending.signal.aborted ? ending.signal.reason : error,
      "The rows scored so far are in",
      kept,
    );
  } finally {
    progress.stop();
    await ports?.close();
    ending.release();
  }
}

/** A function that reads the input in batches, each time from its beginning. Throws `input_invalid` if `--map` is wrong. */
function batchReader(
  { path }: Input,
  options: ScoreOptions,
  limits: Config,
): (signal: AbortSignal) => AsyncIterable<FiledSample[]> {
  const fields = createFieldMap(options);
  const byGroup = options.loss !== undefined && isGroupLoss(options.loss);
  return (signal) => {
    const samples = readSampleFile(path, { limits, fields, format: options.from, signal });
    return sampleBatches(samples, byGroup, limits, { samples: options.batch });
  };
}

async function scoreTo(output: Output, run: Run): Promise<void> {
  const { options, weighting, ports, progress, caller } = run;
  await untilReady(run);
  const { signals, total } = run.input.isReadTwice
    ? await checkAll(run)
    : { signals: possibleSignals(run), total: null };
  checkSort(run, signals);
  const collector = createCollector(createRowWriter(output, options.format, [...signals]), {
    weigh: weighting === null ? null : (rows) => weighRows(rows, weighting),
    sort: options.sort,
    top: options.top,
    total,
  });
  progress.begin("", total);
  let samples = 0;
  try {
    for await (const batch of run.batches()) {
      const answer = await scoreSamples(ports, requestOf(batch, run), {
        caller,
        stopwatch: startStopwatch(),
      }).catch(inWordsOf(batch));
      const failure = await answer.kept;
      if (failure !== null) ports.logger.warn({ err: failure }, "outputs were not cached");
      await collector.add(carry(answer.rows(), batch, options.with));
      samples += batch.length;
      progress.update(samples);
    }
  } catch (error) {
    // Report the first error. If this fails too, the output is not kept.
    if (output.keepsParts) await collector.leave().catch(() => undefined);
    throw error;
  }
  if (samples === 0) throw noSamples(run);
  await collector.finish();
}

/** Checks all samples of the file before one is scored. Returns their number, and the signals that their rows will have. */
async function checkAll(run: Run): Promise<{ signals: ReadonlySet<SignalName>; total: number }> {
  const signals = new Set<SignalName>();
  let total = 0;
  run.progress.begin("checking: ", null);
  for await (const batch of run.batches()) {
    const computed = await checkRequest(run.ports.rankers, requestOf(batch, run)).catch(inWordsOf(batch));
    for (const signal of computed) signals.add(signal);
    total += batch.length;
    run.progress.update(total);
  }
  if (total === 0) throw noSamples(run);
  return { signals, total };
}

/** The signals that rows may have, without a look at the samples. */
function possibleSignals({ options, weighting, ports: { rankers } }: Run): ReadonlySet<SignalName> {
  const { model } = rankers.get(modelNameOf(rankers, options.model));
  const either = [{ text: "", label: 0 }, { text: "" }];
  const named = options.signals ?? defaultSignals(either, suitLoss(options.loss, model), model.classes);
  const weighed = weighting === null ? [] : weighedSignals(weighting);
  return new Set([...named, ...weighed.map(({ signal }) => signal)]);
}

/** Fields of a row that hold a number, in addition to its signals. */
const NUMBERS = ["logit", "probability"];
const WEIGHTS = ["weight", "multiplier"];
/** Fields that `--with` adds and that hold a number. */
const CARRIED_NUMBERS = ["line", "label"] as const;

function checkSort({ options, weighting }: Run, signals: ReadonlySet<SignalName>): void {
  const carried = CARRIED_NUMBERS.filter((name) => options.with.includes(name));
  const sortable: string[] = [...signals, ...NUMBERS, ...carried, ...(weighting === null ? [] : WEIGHTS)];
  const unknown = options.sort?.find(({ field }) => !sortable.includes(field))?.field;
  if (unknown === undefined) return;
  const advice = sortAdvice(unknown) ?? `available: ${[...new Set(sortable)].join(", ")}`;
  throw new AssayError("input_invalid", { detail: `--sort: rows have no ${unknown}; ${advice}` });
}

/** How to give rows the field; null if nothing does. */
function sortAdvice(field: string): string | null {
  const among = (names: readonly string[]): boolean => names.includes(field);
  if (among(BATCH_SIGNALS)) return "name it in --signals to sort by it";
  if (among(CARRIED_NUMBERS)) return "name it in --with to sort by it";
  if (among(WEIGHTS)) return "weigh with --weigh-by or --scheme to sort by it";
  return null;
}

/** The request has the weighting only so that its signals are computed. `weighRows` makes the weights, over the whole file. */
function requestOf(batch: readonly FiledSample[], { options, weighting }: Run): ScoreRequest {
  const { model, dataset, signals, loss, precision, direction, reference } = options;
  return {
    model,
    dataset,
    signals,
    loss,
    precision,
    direction,
    reference: reference === undefined ? undefined : { model: reference },
    weighting,
    samples: batch.map(({ sample }) => sample),
  };
}

function inWordsOf(batch: readonly FiledSample[]): (error: unknown) => never {
  return (error) => {
    throw inWordsOfOptions(error, batch);
  };
}

function weighRows(rows: readonly OutputRow[], weighting: WeightingRequest): OutputRow[] {
  // Every row has the signals: each batch had the weighting in its request, which is refused if a sample lacks a signal.
  const scores = weighedScores(weighting, (signal) => rows.map((row) => row[signal] as number));
  const options = weighOptions(weighting);
  const { weights, diagnostics } = weigh(scores, options);
  for (const sentence of diagnostics.advice) process.stderr.write(`${sentence}\n`);
  return rows.map((row, index) => {
    const weight = weights[index] as number;
    const drawn = options.role === "probability";
    return { ...row, weight, ...(drawn && { multiplier: multiplierOf(weight, weights.length) }) };
  });
}

/** Waits until the model is ready, without a time limit. Throws `model_not_ready` if it fails, or the reason of the signal. */
async function untilReady({ options, ports: { rankers }, caller: { signal } }: Run): Promise<void> {
  signal.throwIfAborted();
  const ranker = rankers.get(modelNameOf(rankers, options.model));
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const state = await Promise.race([ranker.settled(), aborted]);
  if (state.status === "failed") throw new AssayError("model_not_ready", { detail: state.reason });
}

function noSamples({ input }: Run): AssayError {
  return new AssayError("input_invalid", { detail: `${input.name} has no samples` });
}
