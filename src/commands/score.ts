import { statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SingleBar } from "cli-progress";
import { type Command, InvalidArgumentError, Option } from "commander";
import { openPorts, type Ports } from "../compose.js";
import { readConfig } from "../config.js";
import { AssayError } from "../errors.js";
import { SCHEMES, type SchemeName } from "../importance/schemes.js";
import { isGroupLoss, LOSSES, type LossName, SIGNALS, type SignalName } from "../importance/types.js";
import { NORMALISATIONS, type Normalisation } from "../importance/weigh-options.js";
import { weigh } from "../importance/weights.js";
import { type Caller, PRECISIONS, type Precision } from "../ranker/port.js";
import type { SampleRow } from "../scoring/row.js";
import { sampleBatches } from "../scoring/sample-batches.js";
import { scoreSamples } from "../scoring/score.js";
import { DEFAULT_WEIGHTING, type WeightingRequest, weighOptions } from "../scoring/weighting.js";
import { openRowWriter, ROW_FORMATS, type RowFormat } from "./row-writer.js";
import { type FiledSample, readSampleFile } from "./sample-file.js";

interface ScoreOptions {
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
  readonly scheme?: SchemeName;
  readonly weighBy: SignalName;
  readonly normalise: Normalisation;
}

/** Adds `assay score FILE`: the use case of `POST /v1/score` over a file, without a server. */
export function addScoreCommand(program: Command): void {
  program
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
    .option("--batch <n>", "samples scored at once, or more where a group is larger", positiveInteger, 256)
    .addOption(
      new Option("--scheme <name>", "weigh the whole file; without it rows have no weight").choices(SCHEMES),
    )
    .addOption(
      new Option("--weigh-by <signal>", "signal that the scheme reads")
        .choices(SIGNALS)
        .default(DEFAULT_WEIGHTING.signal),
    )
    .addOption(
      new Option("--normalise <how>", "weights that sum to 1, or whose mean is 1")
        .choices(NORMALISATIONS)
        .default("sum"),
    )
    .action((file: string, options: ScoreOptions) => scoreFile(file, options));
}

/** The command weighs by one signal; a mix goes over HTTP. */
type FileWeighting = Extract<WeightingRequest, { readonly signal: SignalName }>;

async function scoreFile(file: string, options: ScoreOptions): Promise<void> {
  const config = readConfig({ ASSAY_LOG_LEVEL: "warn", ...process.env });
  const bytes = sizeOf(file);
  const weighting: FileWeighting | null =
    options.scheme === undefined
      ? null
      : { signal: options.weighBy, scheme: options.scheme, normalise: options.normalise };
  if (weighting !== null) weighOptions(weighting); // a fault of the options, before the model loads
  const writer = await openRowWriter(options.output ?? null, options.format);
  const ports = await openPorts(config);
  const bar = new SingleBar({
    format: "{bar} {percentage}% | {samples} samples | {eta_formatted} left",
    stream: process.stderr,
  });
  try {
    await untilReady(ports, options.model);
    bar.start(bytes, 0, { samples: 0 });
    const held: SampleRow[] = [];
    let samples = 0;
    const read = readSampleFile(file, { limits: config.limits, onBytes: (bytes) => bar.update(bytes) });
    const byGroup = options.loss !== undefined && isGroupLoss(options.loss);
    for await (const batch of sampleBatches(read, byGroup, config.limits, options.batch)) {
      const rows = await scoreBatch(ports, batch, options, weighting);
      samples += rows.length;
      bar.update({ samples });
      // Weights need the whole file; without them rows pass through.
      if (weighting === null) await writer.write(rows);
      else held.push(...rows);
    }
    bar.update(bytes);
    if (samples === 0) process.stderr.write(`${file} holds no samples\n`);
    if (weighting !== null && held.length > 0) await writer.write(weighRows(held, weighting));
    await writer.close();
  } finally {
    bar.stop();
    await ports.close();
  }
}

/** The command waits as long as it takes; Ctrl-C ends the process. */
const PATIENT: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

async function scoreBatch(
  ports: Ports,
  batch: readonly FiledSample[],
  { model, dataset, signals, loss, precision, direction, reference }: ScoreOptions,
  weighting: FileWeighting | null,
): Promise<SampleRow[]> {
  const wanted =
    weighting === null || signals === undefined ? signals : [...new Set([...signals, weighting.signal])];
  const request = {
    model,
    dataset,
    signals: wanted,
    loss,
    precision,
    direction,
    reference: reference === undefined ? undefined : { model: reference },
    weighting: null,
    samples: batch.map(({ sample }) => sample),
  };
  try {
    const answer = await scoreSamples(ports, request, PATIENT);
    const failure = await answer.kept;
    if (failure !== null) ports.logger.warn({ err: failure }, "outputs were not cached");
    return answer.results;
  } catch (error) {
    throw error instanceof AssayError ? locate(error, batch) : error;
  }
}

/** The error with the file's line in place of the sample's place in its batch. */
function locate(error: AssayError, batch: readonly FiledSample[]): AssayError {
  const [fault] = error.faults;
  const index = /^\/samples\/(\d+)/.exec(fault?.path ?? "")?.[1];
  const path = index === undefined ? undefined : batch[Number(index)]?.path;
  if (fault === undefined || path === undefined) return error;
  return new AssayError(error.code, {
    detail: `${path}: ${fault.path.split("/").at(-1)} ${fault.message}`,
    cause: error,
  });
}

function weighRows(rows: readonly SampleRow[], weighting: FileWeighting): SampleRow[] {
  const scores = Float64Array.from(rows, (row, index) => {
    const score = row[weighting.signal];
    if (score !== undefined) return score;
    throw new AssayError("missing_label", {
      detail: `Sample ${index + 1} of the file has no ${weighting.signal}: it needs a label, or weigh by a signal that needs none (--weigh-by entropy)`,
    });
  });
  const { weights, diagnostics } = weigh(scores, weighOptions(weighting));
  for (const sentence of diagnostics.advice) process.stderr.write(`${sentence}\n`);
  return rows.map((row, index) => ({ ...row, weight: weights[index] as number }));
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

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (cause) {
    throw new AssayError("input_invalid", { detail: (cause as Error).message, cause });
  }
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
