import { type AssayError, type Fault, throwFaults } from "../../errors.js";
import { completeColumn } from "../../importance/columns.js";
import { computeSignals } from "../../importance/signals/compute.js";
import type { SignalColumn, SignalColumns, SignalName } from "../../importance/types.js";
import { giveTurn } from "../../observe/turns.js";
import type { OutputsStore } from "../../store/port.js";
import { firstFailure, type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { WantedRecord, Watch } from "../ports.js";
import { allExact, type EstimatedNorms, estimateNorms } from "./estimated-norms.js";
import { fractionOutputs } from "./fraction-outputs.js";
import { learnedColumn } from "./learned.js";
import type { BoundPlan, BoundRun } from "./plan.js";
import { referenceLosses } from "./references.js";
import { influenceOver } from "./trajectory.js";

/** A batch of more samples gives the event loop turns between its stages, because each stage takes some milliseconds. */
export const SAMPLES_IN_ONE_TURN = 512;

/** The models' outputs for a batch, and its signals. */
export interface BatchSignals {
  /** Outputs of the model that scores the samples. */
  readonly outputs: KnownOutputs;
  /** With an exact fraction, `grad_norm` holds estimates for the other samples. */
  readonly columns: SignalColumns;
  /** Null if the request has no exact fraction. */
  readonly estimated: EstimatedNorms | null;
  /** Why the store could not be asked; null if it answered. */
  readonly storeFailure: AssayError | null;
  /** Resolves to null when all new outputs are in the store, or to the reason why they are not. */
  readonly kept: Promise<AssayError | null>;
}

/** Runs the models of a request for texts whose outputs the store does not have, and computes the request's signals. */
export async function batchSignals(
  plan: BoundPlan,
  store: OutputsStore,
  watch: Watch,
): Promise<BatchSignals> {
  const { run } = plan;
  if (run.graph === "fraction") return fractionSignals(plan, run, store, watch);
  const { outputs, columns, others } = await runWhole(plan, run, store, watch);
  return answerOf([outputs, ...others.outputs], { outputs, columns, estimated: null });
}

/** Gradients of the drawn samples, and estimates for the rest. If the drawn samples do not suffice, the rest runs too. */
async function fractionSignals(
  plan: BoundPlan,
  { exact, asked: matrices }: Extract<BoundRun, { graph: "fraction" }>,
  store: OutputsStore,
  watch: Watch,
): Promise<BatchSignals> {
  const { ranker, labelled, computed } = plan;
  const wanted = { ...exact, asked: matrices };
  const { outputs, drawn } = await fractionOutputs({ ranker, store }, labelled.texts, wanted, watch);
  const others = await runOthers(plan, outputs, store, watch);
  const names: readonly SignalName[] = [...new Set([...computed, "grad_norm_last" as const])];
  const widened = { ...plan, computed: names };
  const columns = await computeColumns(widened, outputs, others, watch);
  const estimated = estimateNorms(
    outputs,
    completeColumn(columns, "grad_norm_last"),
    completeColumn(columns, "grad_norm"),
    drawn,
  );
  watch.stopwatch.lap("signals");
  if (estimated !== null) {
    const asked = asAsked(columns, plan, estimated);
    return answerOf([outputs, ...others.outputs], { outputs, columns: asked, estimated });
  }

  const whole = await runWhole(widened, { graph: "norms", asked: matrices }, store, watch);
  const known = allExact(
    completeColumn(whole.columns, "grad_norm_last"),
    completeColumn(whole.columns, "grad_norm"),
  );
  return answerOf([whole.outputs, ...whole.others.outputs], {
    outputs: whole.outputs,
    columns: asAsked(whole.columns, plan, known),
    estimated: known,
  });
}

function answerOf(
  all: readonly KnownOutputs[],
  answer: Pick<BatchSignals, "outputs" | "columns" | "estimated">,
): BatchSignals {
  return {
    ...answer,
    storeFailure: all.find((one) => one.storeFailure !== null)?.storeFailure ?? null,
    kept: firstFailure(all.map((one) => one.kept)),
  };
}

/** The signals that were asked for, with the estimated `grad_norm`. */
function asAsked(columns: SignalColumns, { computed }: BoundPlan, { norms }: EstimatedNorms): SignalColumns {
  const asked = [...columns].filter(([name]) => computed.includes(name));
  return new Map(asked).set("grad_norm", Array.from(norms));
}

async function runWhole(plan: BoundPlan, wanted: WantedRecord, store: OutputsStore, watch: Watch) {
  const outputs = await knownOutputs({ ranker: plan.ranker, store }, plan.labelled.texts, wanted, watch);
  const others = await runOthers(plan, outputs, store, watch);
  return { outputs, others, columns: await computeColumns(plan, outputs, others, watch) };
}

/** What the reference model, the trajectory's models and the trees give for the batch. */
interface Others {
  /** (N) Losses under the reference of `rho`; undefined if `rho` is not computed. */
  readonly referenceLosses: readonly (number | null)[] | undefined;
  /** Signals that no formula gives: `learned`, and influence summed over checkpoints. */
  readonly made: SignalColumns;
  readonly outputs: readonly KnownOutputs[];
}

async function runOthers(
  plan: BoundPlan,
  outputs: KnownOutputs,
  store: OutputsStore,
  watch: Watch,
): Promise<Others> {
  const { reference, labelled, trajectory, learned, samples, ranker } = plan;
  const made = new Map<SignalName, SignalColumn>();
  const ran: KnownOutputs[] = [];
  let losses = reference?.kind === "sent" ? reference.losses : undefined;
  if (reference?.kind === "model") {
    const referred = await referenceLosses({ ranker: reference.ranker, store }, labelled, watch);
    losses = referred.losses;
    ran.push(referred.outputs);
  }
  if (trajectory.length > 0) {
    const influence = await influenceOver(trajectory, store, labelled, watch);
    made.set("influence", influence.column);
    ran.push(...influence.outputs);
  }
  if (learned !== null) {
    const batch = { plan: learned, outputs, samples, labelled };
    made.set("learned", await learnedColumn(ranker, batch, watch.caller.signal));
  }
  return { referenceLosses: losses, made, outputs: ran };
}

async function computeColumns(
  { samples, labelled, loss, computed, run }: BoundPlan,
  outputs: KnownOutputs,
  { referenceLosses: losses, made }: Others,
  { stopwatch }: Watch,
): Promise<SignalColumns> {
  if (samples.length > SAMPLES_IN_ONE_TURN) await giveTurn();
  const names = computed.filter((name) => !made.has(name));
  const byFormula = computeSignals(outputs, labelled.labels, loss, names, {
    groups: labelled.groups,
    directionNorm: run.graph === "tangent" ? run.direction.norm : undefined,
    referenceLosses: losses,
  });
  const columns = made.size === 0 ? byFormula : inOrder(computed, new Map([...byFormula, ...made]));
  checkMagnitude(columns);
  stopwatch.lap("signals");
  return columns;
}

function inOrder(names: readonly SignalName[], columns: SignalColumns): SignalColumns {
  const order = new Map(names.map((name, index) => [name, index]));
  return new Map([...columns].sort(([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0)));
}

/**
 * Throws `unsuitable_signal` with each signal of a sample that is not finite in float32, in which a dataset remembers signals. A
 * huge label, learning rate or direction can cause this. Such a value could be neither answered as JSON nor weighed.
 */
function checkMagnitude(columns: SignalColumns): void {
  const faults: Fault[] = [];
  for (const [name, column] of columns) {
    // By index, because an iterator of entries would allocate a pair for every signal of every request.
    for (let index = 0; index < column.length; index++) {
      const value = column[index];
      if (typeof value === "number" && !Number.isFinite(Math.fround(value)))
        faults.push({
          sample: index,
          path: "",
          message: `${name} is ${value}, which is not finite in float32`,
        });
    }
  }
  throwFaults("unsuitable_signal", faults);
}
