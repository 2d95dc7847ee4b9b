import type { Reading } from "../../importance/signals/signal.js";
import { suitableSignals } from "../../importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import type { LossName, SignalName } from "../../importance/types.js";
import type { ModelDescription, Wanted } from "../../ranker/port.js";

/**
 * What the signals read beside the logits. An influence summed over a trajectory reads nothing of the request's own model.
 */
export function readingsOf(names: readonly SignalName[], hasTrajectory: boolean): ReadonlySet<Reading> {
  const ofModel = hasTrajectory ? names.filter((name) => name !== "influence") : names;
  return new Set(ofModel.flatMap((name) => SIGNAL_TABLE[name].reads));
}

/** The least graph that gives the readings: tangent gives grams too. */
export function graphOf(readings: ReadonlySet<Reading>): Wanted["graph"] {
  if (readings.has("tangent")) return "tangent";
  return readings.has("gram") ? "norms" : "forward";
}

/** What of the readings the model cannot give, in words; null where it gives all. */
export function lackOfModel(readings: ReadonlySet<Reading>, model: ModelDescription): string | null {
  const graph = graphOf(readings);
  if (graph !== "forward" && !model.gradientGraphs.includes(graph)) {
    const reason = model.gradientGraphsUnsupported;
    return `the graph ${graph}, which model ${model.name} lacks${reason === null ? "" : ` (${reason})`}`;
  }
  const lacksTrees = readings.has("learned") && model.learned === null;
  return lacksTrees ? `a learned model, which model ${model.name} lacks (learned.onnx)` : null;
}

/** Signals that have a meaning under the loss and that the model can give. */
export function signalsOf(model: ModelDescription, loss: LossName): SignalName[] {
  return suitableSignals(loss).filter((name) => lackOfModel(readingsOf([name], false), model) === null);
}
