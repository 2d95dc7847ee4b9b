import { accessSync, constants, type Stats, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SingleBar } from "cli-progress";
import { type Command, InvalidArgumentError, Option } from "commander";
import { openPorts, type Ports } from "../compose.js";
import { readConfig } from "../config.js";
import { AssayError } from "../errors.js";
import { isGroupLoss, LOSSES, type LossName, SIGNALS, type SignalName } from "../importance/types.js";
import { weigh } from "../importance/weights.js";
import { startStopwatch } from "../observe/stopwatch.js";
import { type Caller, PRECISIONS, type Precision } from "../ranker/port.js";
import type { SampleRow } from "../scoring/batch/row.js";
import { checkRequest, scoreSamples } from "../scoring/batch/score.js";
import { sampleBatches } from "../scoring/requests/sample-batches.js";
import type { ScoreRequest } from "../scoring/requests/score-request.js";
import { type WeightingRequest, weighedScores, weighOptions } from "../scoring/requests/weighting.js";
import { inWordsOfOptions } from "./option-faults.js";
import { openRowWriter, ROW_FORMATS, type RowFormat } from "./row-writer.js";
import { type FiledSample, readSampleFile } from "./sample-file.js";
import { addWeightingOptions, type WeightingOptions, weightingOf } from "./weighting-options.js";

interface ScoreOptions extends WeightingOptions {
  readonly output?: string;
  readonly format: RowFormat;
  readonly model?: string;
  readonly dataset?: string;
  readonly signals?: SignalName[];
  readonly loss?: LossName;
  readonly precision?: Precision;
  readonly direction?: string;
  readonly reference?: string;
  readonly batch: number;
}

/** Adds `assay score FILE`: the use case of `POST /v1/score` over a file, without a server. */
export function addScoreCommand(program: Command): void {
  const command = program
    .command("score")
    .description("Score a file of samples (.jsonl, .ndjson or .csv with a header) without a server")
    .argument("<file>", "columns or fields: id, query and document (or text), label, group, reference_loss")
    .option("-o, --output <file>", "where to write; standard output by default")
    .addOption(
      new Option("-f, --format <format>", "form of the output").choices(ROW_FORMATS).default("ndjson"),
    )
    .option("--model <name>", "model folder; the default model where absent")
    .option("--dataset <name>", "remember the samples in the store under this name")
    .option("--signals <names>", `comma-separated: ${SIGNALS.join(", ")}`, signalList)
    .addOption(new Option("--loss <name>", "the loss of the model's task where absent").choices(LOSSES))
    .addOption(new Option("--precision <name>", "number format of the model").choices(PRECISIONS))
    .option("--direction <name>", "direction that influence, alignment and tangent are measured along")
    .option("--reference <model>", "model whose loss rho takes away, where the file has no reference_loss")
    .option("--batch <n>", "samples scored at once, or more where a group is larger", positiveInteger, 256);
  addWeightingOptions(command).action((file: string, options: ScoreOptions) => scoreFile(file, options));
}

async function scoreFile(file: string, options: ScoreOptions): Promise<void> {
  const config = readConfig({ ASSAY_LOG_LEVEL: "warn", ...process.env });
  const stats = statsOf(file);
  if (options.output !== undefined && isSameFile(stats, options.output))
    throw new AssayError("output_invalid", { detail: `${options.output} is the file that is read` });
  const weighting = weightingOf(options); // a fault of the options, before the model loads
  const writer = await openRowWriter(options.output ?? null, options.format);
  const ports = await openPorts(config);
  const bar = new SingleBar({
    format: "{bar} {percentage}% | {samples} samples | {eta_formatted} left",
    stream: process.stderr,
  });
  const batches = (onBytes: (bytes: number) => void): AsyncIterable<FiledSample[]> => {
    const byGroup = options.loss !== undefined && isGroupLoss(options.loss);
    const samples = readSampleFile(file, { limits: config.limits, onBytes });
    return sampleBatches(samples, byGroup, config.limits, options.batch);
  };
  try {
    await untilReady(ports, options.model);
    // Rows that wait for their weights are lost by a fault at the file's end. A pipe can be read only once.
    if (weighting !== null && stats.isFile()) {
      for await (const batch of batches(() => undefined)) {
        await checkRequest(ports.rankers, requestOf(batch, options, weighting)).catch(inWordsOf(batch));
      }
    }
    bar.start(stats.size, 0, { samples: 0 });
    const held: SampleRow[] = [];
    let samples = 0;
    for await (const batch of batches((bytes) => bar.update(bytes))) {
      const rows = await scoreBatch(ports, batch, requestOf(batch, options, weighting));
      samples += rows.length;
      bar.update({ samples });
      // Weights need the whole file; without them rows pass through.
      if (weighting === null) await writer.write(rows);
      else held.push(...rows);
    }
    bar.update(stats.size);
    if (samples === 0) throw new AssayError("input_invalid", { detail: `${file} holds no samples` });
    if (weighting !== null) await writer.write(weighRows(held, weighting));
    await writer.close();
  } finally {
    bar.stop();
    await ports.close();
  }
}

/** The weighting is in the request for the signals that it reads; the weights are the whole file's, of `weighRows`. */
function requestOf(
  batch: readonly FiledSample[],
  { model, dataset, signals, loss, precision, direction, reference }: ScoreOptions,
  weighting: WeightingRequest | null,
): ScoreRequest {
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

/** The command waits as long as it takes; Ctrl-C ends the process. */
const PATIENT: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

async function scoreBatch(
  ports: Ports,
  batch: readonly FiledSample[],
  request: ScoreRequest,
): Promise<SampleRow[]> {
  const answer = await scoreSamples(ports, request, { caller: PATIENT, stopwatch: startStopwatch() }).catch(
    inWordsOf(batch),
  );
  const failure = await answer.kept;
  if (failure !== null) ports.logger.warn({ err: failure }, "outputs were not cached");
  return answer.results;
}

function inWordsOf(batch: readonly FiledSample[]): (error: unknown) => never {
  return (error) => {
    throw error instanceof AssayError ? inWordsOfOptions(error, batch) : error;
  };
}

function weighRows(rows: readonly SampleRow[], weighting: WeightingRequest): SampleRow[] {
  // Each batch was scored with the weighting in its request, which is refused where a sample lacks the signal.
  const scores = weighedScores(weighting, (signal) => rows.map((row) => row[signal] as number));
  const { weights, multipliers, diagnostics } = weigh(scores, weighOptions(weighting));
  for (const sentence of diagnostics.advice) process.stderr.write(`${sentence}\n`);
  return rows.map((row, index) => ({
    ...row,
    weight: weights[index] as number,
    ...(multipliers !== null && { multiplier: multipliers[index] as number | null }),
  }));
}

async function untilReady({ rankers }: Ports, model: string | undefined): Promise<void> {
  const ranker = rankers.get(model ?? rankers.defaultName);
  for (;;) {
    const state = ranker.state();
    if (state.status === "ready") return;
    if (state.status === "failed") throw new AssayError("model_not_ready", { detail: state.reason });
    await delay(20);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
};

function statsOf(file: string): Stats {
  try {
    accessSync(file, constants.R_OK);
    const stats = statSync(file);
    if (!stats.isDirectory()) return stats;
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw new AssayError("input_invalid", {
      detail: `${file} cannot be read: ${REASONS[code] ?? message}`,
      cause,
    });
  }
  throw new AssayError("input_invalid", { detail: `${file} cannot be read: it is a folder` });
}

/** Whether the output would overwrite what is still to be read. */
function isSameFile({ dev, ino }: Stats, output: string): boolean {
  const other = statSync(output, { throwIfNoEntry: false });
  return other !== undefined && other.dev === dev && other.ino === ino;
}

function signalList(text: string): SignalName[] {
  return text.split(",").map((name) => {
    const found = SIGNALS.find((signal) => signal === name.trim());
    if (found === undefined) throw new InvalidArgumentError(`${name} is none of ${SIGNALS.join(", ")}`);
    return found;
  });
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError("must be a whole number of at least 1");
  return value;
}
