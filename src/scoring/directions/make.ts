import { AssayError } from "../../errors.js";
import { isGroupLoss, type LossName } from "../../importance/types.js";
import type { AccumulatedVector, Caller, ModelDescription, Rankers } from "../../ranker/port.js";
import { modelId } from "../../ranker/port.js";
import type { DirectionFacts, DirectionKind, DirectionStore } from "../../store/port.js";
import type { ModelPorts, Ports } from "../ports.js";
import { suitLoss } from "../requests/checks.js";
import type { Limits } from "../requests/limits.js";
import { groupedTogether, type LocatedSample, sampleBatches } from "../requests/sample-batches.js";
import { storeUntil } from "../requests/store-until.js";
import type { KnownDirection } from "./known.js";
import { type DirectionWatch, requireLabels, sumGradients } from "./sum.js";

export interface DirectionRequest {
  readonly name: string;
  readonly kind: DirectionKind;
  /** The default model where absent. */
  readonly model?: string | undefined;
  /** The loss of the model's task where absent. */
  readonly loss?: LossName | undefined;
}

type Samples = readonly LocatedSample[] | AsyncIterable<LocatedSample>;

/**
 * Makes a direction of labelled samples and keeps it in place of the one of its name: their mean loss gradient, or E[I], their
 * mean unit gradient. A list is checked as a whole before anything runs; of a stream a few batches are held at once, and
 * its first fault ends it. A group loss compares the samples of a group, which follow one another in a stream.
 *
 * Throws `directions_full`, `unsuitable_loss`, `unsuitable_graph`, `unsuitable_label`, `missing_label`, `invalid_sample`,
 * `invalid_request` where there is no sample, `direction_undefined` where every gradient is 0, `direction_stale` where the
 * model is replaced meanwhile, and what `Ranker.run`, `Accumulation.add` and the store throw, except that it waits while the
 * ranker is overloaded. Nothing is kept then, and the direction of that name stays what it was.
 */
export async function makeDirection(
  { rankers, store }: Ports,
  request: DirectionRequest,
  samples: Samples,
  watch: DirectionWatch,
  limits: Limits,
): Promise<KnownDirection> {
  const patient = storeUntil(store, watch.caller);
  await checkRoom(patient, request.name, limits);
  return rankers.use(request.model ?? rankers.defaultName, (ranker) =>
    makeWith({ ranker, rankers, store: patient }, request, samples, watch, limits),
  );
}

async function makeWith(
  { ranker, rankers, store }: Ports & ModelPorts,
  { name, kind, loss: wantedLoss }: DirectionRequest,
  samples: Samples,
  watch: DirectionWatch,
  limits: Limits,
): Promise<KnownDirection> {
  const { model } = ranker;
  const loss = suitLoss(wantedLoss, model);
  checkGraphs(model, kind);
  const batches = isList(samples)
    ? await checkedBatches(samples, loss, model, limits)
    : sampleBatches(samples, isGroupLoss(loss), limits);
  const checkUse = (): void => checkServed(rankers, model);

  const accumulation = await ranker.accumulate();
  try {
    const sums = { ranker, store, accumulation, kind, loss, checkUse };
    const totals = await sumGradients(sums, batches, watch);
    if (totals.samples === 0)
      throw new AssayError("invalid_request", { detail: "A direction needs at least one sample" });
    checkUse();
    const vector = await accumulation.finish(1 / totals.samples);
    checkNorm(vector);
    const made = { name: model.name, version: model.version };
    const { weightsDigest } = model;
    const facts: DirectionFacts = {
      name,
      kind,
      model: made,
      weightsDigest,
      loss,
      ...totals,
      norm: vector.norm,
    };
    const info = await store.writeDirection(facts, whileWanted(vector, watch.caller));
    watch.stopwatch.lap("keep");
    return { ...info, stale: false };
  } finally {
    await accumulation.release();
  }
}

/** Throws `directions_full` where a new name would be one too many. Writers at once may exceed the number by themselves. */
async function checkRoom(store: DirectionStore, name: string, { directionsMax }: Limits): Promise<void> {
  const { items } = await store.listDirections(null, directionsMax);
  if (items.length < directionsMax || (await store.readDirection(name)) !== null) return;
  throw new AssayError("directions_full", {
    detail: `No more directions than ${directionsMax} are kept (ASSAY_DIRECTIONS_MAX): delete one first`,
  });
}

function checkGraphs(
  { name, gradientGraphs, gradientGraphsUnsupported }: ModelDescription,
  kind: DirectionKind,
): void {
  const needed = kind === "mean_direction" ? (["norms", "accumulate"] as const) : (["accumulate"] as const);
  const lacking = needed.filter((graph) => !gradientGraphs.includes(graph));
  if (lacking.length === 0) return;
  const why = gradientGraphsUnsupported === null ? "" : ` (${gradientGraphsUnsupported})`;
  throw new AssayError("unsuitable_graph", {
    detail: `A direction of kind ${kind} needs the graphs ${needed.join(" and ")}, and model ${name} has no ${lacking.join(" and no ")}${why}`,
  });
}

/** Throws `direction_stale` once the model has been replaced: the sums belong to weights that nobody is served with any more. */
function checkServed(rankers: Rankers, model: ModelDescription): void {
  const served = rankers.inspect(model.name).model;
  if (served.weightsDigest === model.weightsDigest) return;
  throw new AssayError("direction_stale", {
    detail: `Model ${modelId(model)} was replaced by ${modelId(served)} while the direction was being made: make it again`,
  });
}

function isList(samples: Samples): samples is readonly LocatedSample[] {
  return Array.isArray(samples);
}

/** The batches of a list that has no fault; groups may lie scattered in it. */
async function checkedBatches(
  samples: readonly LocatedSample[],
  loss: LossName,
  { classes }: ModelDescription,
  limits: Limits,
): Promise<LocatedSample[][]> {
  requireLabels(samples, loss, classes);
  const byGroup = isGroupLoss(loss);
  const batches: LocatedSample[][] = [];
  for await (const batch of sampleBatches(byGroup ? groupedTogether(samples) : samples, byGroup, limits))
    batches.push(batch);
  return batches;
}

function checkNorm({ norm }: AccumulatedVector): void {
  if (norm === 0)
    throw new AssayError("direction_undefined", {
      detail: "The mean of the samples' gradients is zero: it points nowhere",
    });
  if (!Number.isFinite(norm))
    throw new AssayError("engine_failed", {
      detail: "The gradients of the samples do not sum to a finite number",
    });
}

/** Throws the caller's reason once it waits no more. */
async function* whileWanted(vector: AccumulatedVector, { signal }: Caller): AsyncGenerator<Uint8Array> {
  for await (const chunk of vector.read()) {
    if (signal.aborted) throw signal.reason;
    yield chunk;
  }
}
