import { type Fault, throwFaults } from "../../errors.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import { type LossName, SIGNALS, type SignalName } from "../../importance/types.js";
import type { LearnedDescription, ModelDescription } from "../../ranker/port.js";
import type { AskedSignal } from "../requests/checks.js";
import { extraOf, type Sample } from "../requests/sample.js";
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
 * Finds what the folder's trees read for a request that asks for `learned` at `path`; null where the folder has none, which
 * `checkSignals` refuses. Throws `unsuitable_signal` where the trees were made for another loss or read what this service does
 * not have, `unsuitable_precision` for int8 by name, and `invalid_sample` where a sample lacks an extra.
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

function isReadable(name: string): boolean {
  const known = SIGNALS.find((signal) => signal === name);
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
        message: "is required: the trees of learned read it, and no sample of their training lacked it",
      })),
  );
}
