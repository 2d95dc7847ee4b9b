import { type Fault, throwFaults } from "../../errors.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import { BATCH_SIGNALS, type LossName, type SignalName } from "../../importance/types.js";
import type { LearnedDescription, ModelDescription } from "../../ranker/port.js";
import type { AskedSignal } from "../requests/checks.js";
import { extraOf, type Sample } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";

/** What the signal `learned` reads in a request: features, signals and extras, in the order of the trees' columns. */
export interface LearnedPlan {
  readonly features: number; // H; 0 if the trees read none
  readonly signals: readonly SignalName[];
  readonly extras: LearnedDescription["inputs"]["extras"];
  /** The signals as if the request had asked for them, each with the path of `learned`. */
  readonly asked: readonly AskedSignal[];
  readonly advice: readonly string[];
}

/** Trees cannot read signals with one of these readings, because such signals need a direction, a reference or other trees. */
const READINGS_WITHOUT = ["tangent", "reference", "learned"] as const;

/**
 * Finds what the folder's trees read for a request that asks for `learned` at `path`. Null if the folder has no trees, which
 * `checkSignals` refuses. Throws `unsuitable_signal` if the trees were made for another loss or read something that this service
 * cannot give, `unsuitable_precision` if the request names int8, and `invalid_sample` if a sample lacks a required extra.
 */
export function planLearned(
  request: ScoreRequest,
  path: string,
  loss: LossName,
  { name, version, learned }: ModelDescription,
): LearnedPlan | null {
  if (learned === null) return null;
  const { features, extras } = learned.inputs;
  const signals = learned.inputs.signals.filter((one): one is SignalName => isReadable(one));
  throwFaults("unsuitable_signal", [
    ...(learned.loss === loss
      ? []
      : [
          {
            path,
            message: `the trees of model ${name} read signals of the loss ${learned.loss}, not of ${loss}`,
          },
        ]),
    ...learned.inputs.signals
      .filter((one) => !isReadable(one))
      .map((one) => ({
        path,
        message: `the trees of model ${name} read ${one}, which this service cannot give them`,
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
            `learned was trained on version ${learned.modelVersion} of model ${name}, which now has version ${version}. Its values are not reliable until you train it again (python -m assay.learned).`,
          ],
  };
}

function isReadable(name: string): boolean {
  const known = BATCH_SIGNALS.find((signal) => signal === name);
  return (
    known !== undefined && !READINGS_WITHOUT.some((reading) => SIGNAL_TABLE[known].reads.includes(reading))
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
        sample: index,
        path: `/extras/${name}`,
        message: "is required: the trees of learned read it, and every sample that trained them had it",
      })),
  );
}
