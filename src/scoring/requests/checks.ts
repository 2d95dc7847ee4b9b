import { AssayError, type Fault, throwFaults } from "../../errors.js";
import { isHard, labelFault } from "../../importance/labels.js";
import type { Reading } from "../../importance/signals/signal.js";
import { labelNeed, suitableLosses, suitableSignals } from "../../importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import { isGroupLoss, type Label, type LossName, type SignalName } from "../../importance/types.js";
import {
  ANSWERING_GRAPHS,
  type AnsweringGraph,
  gives,
  MATRICES,
  MATRIX_NAMES,
  type ModelDescription,
  type Precision,
  type Wanted,
} from "../../ranker/port.js";
import { OUTPUTS_PARTS } from "../../store/port.js";
import type { KeptMatrix } from "../ports.js";
import type { Sample } from "./sample.js";

/** The loss of a request that names none: the loss that the model's task is trained with. */
const TASK_LOSS: Readonly<Record<ModelDescription["task"], LossName>> = {
  binary: "bce",
  regression: "mse",
  classification: "cross_entropy",
};

/** The given loss, or the task's. Throws `unsuitable_loss` if it does not suit the model. */
export function suitLoss(loss: LossName | undefined, model: ModelDescription): LossName {
  const chosen = loss ?? TASK_LOSS[model.task];
  const suitable = suitableLosses(model.classes);
  if (suitable.includes(chosen)) return chosen;
  throw new AssayError("unsuitable_loss", {
    detail: `Model ${model.name} has ${model.classes === 1 ? "one logit" : `${model.classes} logits`}: it takes ${suitable.join(", ")}, not ${chosen}`,
    faults: [{ path: "/loss", message: `must be one of ${suitable.join(", ")}` }],
  });
}

/**
 * The given precision, or the model's. Gradient graphs exist in fp32 only. Throws `unsuitable_precision` if the model has no
 * graph of the given precision.
 */
export function suitPrecision(
  precision: Precision | undefined,
  graph: Wanted["graph"],
  model: ModelDescription,
): Precision {
  if (graph !== "forward") {
    if (precision === undefined || precision === "fp32") return "fp32";
    throw new AssayError("unsuitable_precision", {
      detail: `A signal of this request reads gradients, which run in fp32 only: send precision fp32 instead of ${precision}, or leave it out`,
      faults: [{ path: "/precision", message: "must be fp32, or be left out" }],
    });
  }
  const chosen = precision ?? model.precision;
  if (model.precisions.includes(chosen)) return chosen;
  throw new AssayError("unsuitable_precision", {
    detail: `Model ${model.name} has no graph in ${chosen}; it has ${model.precisions.join(", ")}`,
    faults: [{ path: "/precision", message: `must be one of ${model.precisions.join(", ")}` }],
  });
}

/** Throws `unsuitable_label` with each label that does not suit the loss. */
export function checkLabels(samples: readonly Sample[], loss: LossName, classes: number): void {
  refuseLabels(
    samples.map(({ label = null }) => label),
    loss,
    classes,
  );
}

/** The same for labels (N) in a column. */
export function refuseLabels(labels: readonly Label[], loss: LossName, classes: number): void {
  const faults: Fault[] = [];
  labels.forEach((label, index) => {
    const message = labelFault(label, loss, classes);
    if (message !== null) faults.push({ sample: index, path: "/label", message });
  });
  throwFaults("unsuitable_label", faults);
}

/**
 * The ids of the samples that have one: (N) if a dataset is named. Throws `duplicate_id` with each repeated id, and
 * `invalid_sample` if a dataset is named and a sample has no id.
 */
export function checkIds(samples: readonly Sample[], dataset: string | undefined): string[] {
  const absent = samples.flatMap(({ id }, index): Fault[] => {
    const message = "is required: a dataset remembers samples by id";
    return id === undefined && dataset !== undefined ? [{ sample: index, path: "/id", message }] : [];
  });
  throwFaults("invalid_sample", absent);
  return refuseRepeatedIds(samples.map(({ id }) => id));
}

/** The ids (N) that are not undefined. Throws `duplicate_id` with each repeated one. */
export function refuseRepeatedIds(ids: readonly (string | undefined)[]): string[] {
  const seen = new Map<string, number>();
  const repeated: Fault[] = [];
  ids.forEach((id, index) => {
    if (id === undefined) return;
    const first = seen.get(id);
    if (first === undefined) seen.set(id, index);
    else repeated.push({ sample: index, path: "/id", message: "is the id of", sharedWith: first });
  });
  throwFaults("duplicate_id", repeated);
  return [...seen.keys()];
}

/** Largest group under `pairwise`, whose cost grows with the square of the group's size. */
const PAIRWISE_GROUP_MAX = 1024;

/** For losses that compare the samples of a group: throws `invalid_sample` if a sample has no group or a group is too large. */
export function checkGroups(samples: readonly Sample[], loss: LossName): void {
  refuseUngrouped(
    samples.map(({ group = null }) => group),
    loss,
  );
}

/** The same for groups (N) in a column. */
export function refuseUngrouped(groups: readonly (string | null)[], loss: LossName): void {
  if (!isGroupLoss(loss)) return;
  const sizes = new Map<string, number>();
  const faults: Fault[] = [];
  groups.forEach((group, index) => {
    const place = { sample: index, path: "/group" };
    if (group === null) {
      faults.push({ ...place, message: `is required: ${loss} compares the samples of a group` });
      return;
    }
    const size = (sizes.get(group) ?? 0) + 1;
    sizes.set(group, size);
    if (loss === "pairwise" && size === PAIRWISE_GROUP_MAX + 1)
      faults.push({
        ...place,
        message: `has more than ${PAIRWISE_GROUP_MAX} samples: make groups smaller, or use listwise, which takes larger ones`,
      });
  });
  throwFaults("invalid_sample", faults);
}

/** A signal that a request names, and the path where it names it. */
export interface AskedSignal {
  readonly signal: SignalName;
  readonly path: string;
}

/**
 * Throws `unsuitable_signal` if a signal has no meaning under the loss or the model cannot give it. Throws `missing_label` if a
 * signal needs a label, or a hard label, that a sample lacks.
 */
export function checkSignals(
  asked: readonly AskedSignal[],
  samples: readonly Sample[],
  loss: LossName,
  model: ModelDescription,
  hasTrajectory: boolean,
): void {
  const suitable = suitableSignals(loss);
  const unsuitable = asked.flatMap(({ signal, path }): Fault[] => {
    const lack = lackOfModel(readingsOf([signal], hasTrajectory), model);
    if (suitable.includes(signal) && lack === null) return [];
    const reason = suitable.includes(signal) ? `needs ${lack}` : `has no meaning under ${loss}`;
    return [{ path, message: `${signal} ${reason}; available: ${signalsOf(model, loss).join(", ")}` }];
  });
  throwFaults("unsuitable_signal", unsuitable);

  const lacking: Fault[] = [];
  for (const { signal } of asked) {
    samples.forEach((sample, index) => {
      const lack = lackOf(sample, signal, model.classes);
      if (lack !== null) lacking.push({ sample: index, path: "/label", message: `${signal} needs ${lack}` });
    });
  }
  if (lacking.length === 0) return;
  const labelFree = signalsOf(model, loss).filter((name) => labelNeed(name, model.classes) === "none");
  const free = labelFree.length === 0 ? "" : `; available without a label: ${labelFree.join(", ")}`;
  throwFaults(
    "missing_label",
    lacking.map((fault) => ({ ...fault, message: fault.message + free })),
  );
}

/** Which label the sample lacks for the signal, in words; null if it lacks none. */
export function lackOf({ label = null }: Sample, name: SignalName, classes: number): string | null {
  const need = labelNeed(name, classes);
  if (need === "none") return null;
  if (label === null) return "a label";
  if (need === "any") return null;
  return isHard(label, classes) ? null : `a hard label (${classes === 1 ? "0 or 1" : "a class index"})`;
}

/**
 * What the signals read in addition to the logits. With a trajectory, influence reads nothing from the request's own model.
 */
export function readingsOf(names: readonly SignalName[], hasTrajectory: boolean): ReadonlySet<Reading> {
  const ofModel = hasTrajectory ? names.filter((name) => name !== "influence") : names;
  return new Set(ofModel.flatMap((name) => SIGNAL_TABLE[name].reads));
}

/** See `KeptMatrix`. */
export const KEPT_MATRICES: readonly KeptMatrix[] = OUTPUTS_PARTS.filter(
  (part): part is KeptMatrix => MATRICES[part] === "asked",
);

/** What to run of the model for the readings: the cheapest graph that gives them, and the extra matrices to ask of it. */
export function runFor(readings: ReadonlySet<string>): { graph: AnsweringGraph; asked: KeptMatrix[] } {
  const asked = KEPT_MATRICES.filter((name) => readings.has(name));
  const matrices = MATRIX_NAMES.filter((name) => readings.has(name));
  const graph = ANSWERING_GRAPHS.find((one) => matrices.every((name) => gives({ graph: one, asked }, name)));
  if (graph === undefined) throw new RangeError(`no graph gives ${matrices.join(" and ")}`);
  return { graph, asked };
}

/** What the model lacks for the readings, in words; null if it lacks nothing. */
export function lackOfModel(readings: ReadonlySet<Reading>, model: ModelDescription): string | null {
  const { graph } = runFor(readings);
  if (graph !== "forward" && !model.gradientGraphs.includes(graph)) {
    const reason = model.gradientGraphsUnsupported;
    return `the graph ${graph}, which model ${model.name} lacks${reason === null ? "" : ` (${reason})`}`;
  }
  if (readings.has("history"))
    return "the logits of several checkpoints, which only a dataset keeps: weigh the dataset by it";
  const lacksTrees = readings.has("learned") && model.learned === null;
  return lacksTrees ? `a learned model, which model ${model.name} lacks (learned.onnx)` : null;
}

/** The signals that have a meaning under the loss and that the model can give. */
export function signalsOf(model: ModelDescription, loss: LossName): SignalName[] {
  return suitableSignals(loss).filter((name) => lackOfModel(readingsOf([name], false), model) === null);
}
