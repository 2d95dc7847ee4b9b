import { computeSignals } from "../../importance/signals.js";
import type { SignalName } from "../../importance/types.js";
import type { Stopwatch } from "../../observe/stopwatch.js";
import type { Caller } from "../../ranker/port.js";
import type { Store } from "../../store/port.js";
import type { SignalColumns } from "../datasets/columns.js";
import type { LabelledTexts } from "../requests/labelled.js";
import type { Sample } from "../requests/sample.js";
import { allExact, type EstimatedNorms, estimateNorms } from "./estimated-norms.js";
import { checkMagnitude } from "./magnitude.js";
import { type ModelRuns, type ReadyDirections, runModels } from "./model-runs.js";
import type { OpenModels } from "./open-models.js";
import type { ScoringPlan } from "./plan.js";
import { giveWay } from "./turns.js";

/** What the models say of a batch, and its signals. */
export interface BatchSignals extends Pick<ModelRuns, "outputs" | "storeFailure" | "kept"> {
  /** `grad_norm` holds estimates where a request has an exact share. */
  readonly columns: SignalColumns;
  /** Null where the request has no exact share. */
  readonly estimated: EstimatedNorms | null;
}

/** Runs the models of a request and computes its signals. A share too poor to estimate the rest from has the rest run too. */
export async function batchSignals(
  ports: { models: OpenModels; store: Store },
  plan: ScoringPlan,
  directions: ReadyDirections,
  samples: readonly Sample[],
  labelled: LabelledTexts,
  stopwatch: Stopwatch,
  caller: Caller,
): Promise<BatchSignals> {
  const run = (own: ScoringPlan): Promise<ModelRuns> =>
    runModels(ports, own, directions, samples, labelled, stopwatch, caller);
  const compute = async ({ outputs, context }: ModelRuns, names: readonly SignalName[]) => {
    await giveWay(samples.length);
    const columns = computeSignals(outputs, labelled.labels, plan.loss, names, context);
    checkMagnitude(columns);
    stopwatch.lap("signals");
    return columns;
  };

  const runs = await run(plan);
  if (plan.exactShare === null || runs.drawn === null) {
    return { ...runs, columns: await compute(runs, plan.computed), estimated: null };
  }
  const names: readonly SignalName[] = [...new Set([...plan.computed, "grad_norm_last" as const])];
  const columns = await compute(runs, names);
  const norms = estimateNorms(
    runs.outputs,
    values(columns, "grad_norm_last"),
    values(columns, "grad_norm"),
    runs.drawn,
  );
  stopwatch.lap("signals");
  if (norms !== null) return { ...runs, columns: asAsked(columns, plan, norms), estimated: norms };

  const wholeRuns = await run({ ...plan, exactShare: null });
  const whole = await compute(wholeRuns, names);
  const exact = allExact(values(whole, "grad_norm_last"), values(whole, "grad_norm"));
  return { ...wholeRuns, columns: asAsked(whole, plan, exact), estimated: exact };
}

/** The signals that were asked for, with `grad_norm` as it is estimated. */
function asAsked(
  columns: SignalColumns,
  { computed }: ScoringPlan,
  { norms }: EstimatedNorms,
): SignalColumns {
  const asked = [...columns].filter(([name]) => computed.includes(name));
  return new Map(asked).set("grad_norm", Array.from(norms));
}

/** (N) A signal that no sample lacks, for checkSignals made sure of the labels. */
function values(columns: SignalColumns, name: SignalName): Float64Array {
  return Float64Array.from(columns.get(name) as readonly number[]);
}
