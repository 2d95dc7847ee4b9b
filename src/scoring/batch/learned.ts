import type { Fault } from "../../errors.js";
import { computeSignals, type SignalColumn } from "../../importance/signals.js";
import { SIGNAL_RULES } from "../../importance/suitability.js";
import { type LossName, SIGNALS, type SignalName } from "../../importance/types.js";
import type { LearnedDescription, ModelDescription, Ranker } from "../../ranker/port.js";
import type { KnownOutputs } from "../outputs/outputs.js";
import { type AskedSignal, throwFaults } from "../requests/checks.js";
import type { LabelledTexts } from "../requests/labelled.js";
import type { Sample } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";

/** What the signal `learned` of a request reads: features, signals and extras, the columns of its trees in their order. */
export interface LearnedPlan {
  readonly features: number; // H, or 0
  readonly signals: readonly SignalName[];
  readonly extras: LearnedDescription["inputs"]["extras"];
  /** Where the signals were asked for, by asking for `learned`. */
  readonly asked: readonly AskedSignal[];
  readonly advice: readonly string[];
}

/** Signals that need a direction, a reference or other trees, and so are nothing that trees can read. */
const READINGS_WITHOUT = ["tangent", "reference", "learned"] as const;

/**
 * Finds what the folder's trees read; null where the request does not ask for `learned`, or the folder has none, which
 * `checkSignals` refuses. Throws `unsuitable_signal` where the trees were made for another loss or read what this service does
 * not have, `unsuitable_precision` for int8 by name, and `invalid_sample` where a sample lacks an extra.
 */
export function planLearned(
  request: ScoreRequest,
  asked: readonly AskedSignal[],
  loss: LossName,
  { name, version, learned }: ModelDescription,
): LearnedPlan | null {
  const path = asked.find(({ signal }) => signal === "learned")?.path;
  if (path === undefined || learned === null) return null;
  const { features, extras } = learned.inputs;
  const signals = learned.inputs.signals.filter((one): one is SignalName => isReadable(one));
  throwFaults("unsuitable_signal", [
    ...(learned.loss === loss
      ? []
      : [{ path, message: `the trees of model ${name} read signals of ${learned.loss}, not of ${loss}` }]),
    ...learned.inputs.signals
      .filter((one) => !isReadable(one))
      .map((one) => ({
        path,
        message: `the trees of model ${name} read ${one}, which no request gives them`,
      })),
  ]);
  if (request.precision === "int8") {
    throwFaults("unsuitable_precision", [
      { path: "/precision", message: "must be fp32, or be left out: the trees of learned read fp32 outputs" },
    ]);
  }
  throwFaults("invalid_sample", missingExtras(request.samples, extras));
  return {
    features,
    signals,
    extras,
    asked: signals.map((signal) => ({ signal, path })),
    advice:
      learned.modelVersion === version
        ? []
        : [
            `learned was trained on version ${learned.modelVersion} of model ${name}, which is at ${version}: its values are of unknown worth until it is trained again (python -m assay.learned).`,
          ],
  };
}

/** (N) What the trees say of each sample. Throws what `Ranker.learned` throws. */
export async function learnedColumn(
  ranker: Ranker,
  plan: LearnedPlan,
  outputs: KnownOutputs,
  samples: readonly Sample[],
  { labels, groups, loss }: LabelledTexts,
  signal: AbortSignal,
): Promise<SignalColumn> {
  const columns = computeSignals(outputs, labels, loss, plan.signals, { groups });
  return Array.from(await ranker.learned(matrixOf(plan, outputs.features, columns, samples), signal));
}

/** (N, F) features, signals, extras; NaN where a sample lacks an optional extra. */
function matrixOf(
  { features: height, signals, extras }: LearnedPlan,
  features: Float32Array | null,
  columns: ReadonlyMap<SignalName, SignalColumn>,
  samples: readonly Sample[],
): Float32Array {
  const width = height + signals.length + extras.length;
  const matrix = new Float32Array(samples.length * width);
  for (const [row, sample] of samples.entries()) {
    const at = row * width;
    if (features !== null) matrix.set(features.subarray(row * height, (row + 1) * height), at);
    for (const [s, signal] of signals.entries()) {
      matrix[at + height + s] = columns.get(signal)?.[row] as number; // checkSignals made sure of the labels
    }
    for (const [e, { name }] of extras.entries()) {
      matrix[at + height + signals.length + e] = extraOf(sample, name) ?? Number.NaN;
    }
  }
  return matrix;
}

/** A sample's own number: every object has a `constructor`. */
function extraOf({ extras }: Sample, name: string): number | undefined {
  return extras !== undefined && Object.hasOwn(extras, name) ? extras[name] : undefined;
}

function isReadable(name: string): boolean {
  const known = SIGNALS.find((signal) => signal === name);
  return (
    known !== undefined && !READINGS_WITHOUT.some((reading) => SIGNAL_RULES[known].reads.includes(reading))
  );
}

function missingExtras(
  samples: readonly Sample[],
  extras: LearnedDescription["inputs"]["extras"],
): readonly Fault[] {
  const required = extras.filter(({ optional }) => !optional);
  return samples.flatMap((sample, index) =>
    required
      .filter(({ name }) => extraOf(sample, name) === undefined)
      .map(({ name }) => ({
        path: `/samples/${index}/extras/${name}`,
        message: "is required: the trees of learned read it, and no sample of their training lacked it",
      })),
  );
}
