import { AssayError } from "../../errors.js";
import { isGroupLoss, type LossName } from "../../importance/types.js";
import type { AccumulatedVector, Caller, ModelDescription, Rankers } from "../../ranker/port.js";
import { modelId } from "../../ranker/port.js";
import type { DirectionFacts, DirectionKind, DirectionStore } from "../../store/port.js";
import { modelNameOf } from "../batch/open-models.js";
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
  /** Absent: the default model. */
  readonly model?: string | undefined;
  /** Absent: the loss of the model's task. */
  readonly loss?: LossName | undefined;
}

type Samples = readonly LocatedSample[] | AsyncIterable<LocatedSample>;

/**
 * Makes a direction from labelled samples: their mean loss gradient, or E[I], their mean unit gradient. The new direction
 * replaces an existing one of that name. A list is checked as a whole before anything runs. Of a stream, only a few batches are
 * held at once, and the first fault ends it. A group loss compares the samples of a group, which must follow one another in a
 * stream.
 *
 * Throws `directions_full`, `unsuitable_loss`, `unsuitable_graph`, `unsuitable_label`, `missing_label`, `invalid_sample`,
 * `invalid_request` if there is no sample, `direction_undefined` if the mean gradient is 0, and `direction_stale` if the model is
 * replaced meanwhile. Also throws what `Ranker.run`, `Accumulation.add` and the store throw, except `overloaded`: then it
 * waits and tries again. After an error nothing is kept, and an existing direction of that name is unchanged.
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
  return rankers.use(modelNameOf(rankers, request.model), (ranker) =>
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
    const { weightsDigest, gradientScope } = model;
    if (gradientScope === null) throw new RangeError(`model ${model.name} has gradients of no scope`);
    const facts: DirectionFacts = {
      name,
      kind,
      model: made,
      weightsDigest,
      gradientScope,
      loss,
      ...totals,
      norm: vector.norm,
      scale: null,
    };
    const info = await store.writeDirection(facts, whileWanted(vector, watch.caller));
    watch.stopwatch.lap("keep");
    return { ...info, stale: false };
  } finally {
    await accumulation.release();
  }
}

/** Throws `directions_full` if a new name would exceed the limit. Concurrent writers may still exceed it by their own number. */
async function checkRoom(store: DirectionStore, name: string, { directionsMax }: Limits): Promise<void> {
  const { items } = await store.listDirections(null, directionsMax);
  if (items.length < directionsMax || (await store.readDirection(name)) !== null) return;
  throw new AssayError("directions_full", {
    detail: `The limit of ${directionsMax} directions is reached (ASSAY_DIRECTIONS_MAX): delete one first`,
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
    detail: `A direction of kind ${kind} needs the graphs ${needed.join(" and ")}, but model ${name} has no ${lacking.join(" and no ")}${why}`,
  });
}

/**
 * Throws `direction_stale` if the model has been replaced: the sums belong to weights that are no longer served, or to other
 * parameters.
 */
function checkServed(rankers: Rankers, model: ModelDescription): void {
  const served = rankers.inspect(model.name).model;
  if (served.weightsDigest === model.weightsDigest && served.gradientScope === model.gradientScope) return;
  throw new AssayError("direction_stale", {
    detail: `Model ${modelId(model)} was replaced by ${modelId(served)} while the direction was being made: make the direction again`,
  });
}

function isList(samples: Samples): samples is readonly LocatedSample[] {
  return Array.isArray(samples);
}

/** The batches of a list, after all its samples have been checked. The samples of a group need not follow one another in it. */
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
      detail: "The mean of the samples' gradients is zero, so it has no direction: send other samples",
    });
  if (!Number.isFinite(norm))
    throw new AssayError("engine_failed", {
      detail: "The sum of the samples' gradients is not finite",
    });
}

/** The bytes of the vector. Throws the caller's reason once the caller no longer waits. */
async function* whileWanted(vector: AccumulatedVector, { signal }: Caller): AsyncGenerator<Uint8Array> {
  for await (const chunk of vector.read()) {
    if (signal.aborted) throw signal.reason;
    yield chunk;
  }
}
