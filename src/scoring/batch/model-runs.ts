import type { AssayError } from "../../errors.js";
import type { SignalColumn, SignalContext } from "../../importance/signals.js";
import type { SignalName } from "../../importance/types.js";
import type { Stopwatch } from "../../observe/stopwatch.js";
import type { Caller, Ranker, Wanted } from "../../ranker/port.js";
import type { Store } from "../../store/port.js";
import { type ResolvedDirection, resolveDirection } from "../directions/known.js";
import { type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { LabelledTexts } from "../requests/labelled.js";
import { modelId } from "../requests/model-id.js";
import type { Sample } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";
import { type DrawnShare, sharedOutputs } from "./exact-share.js";
import { learnedColumn } from "./learned.js";
import type { OpenModels } from "./open-models.js";
import type { ScoringPlan } from "./plan.js";
import { referenceLosses } from "./references.js";
import { influenceOver, type ReadyCheckpoint } from "./trajectory.js";

/** The directions of a request, each bound to the weights of the model that is run along it. */
export interface ReadyDirections {
  readonly direction: ResolvedDirection | null;
  readonly checkpoints: readonly ReadyCheckpoint[];
}

/** Throws `direction_not_found`, and `direction_stale` for a direction of other weights. */
export async function readyDirections(
  store: Store,
  { direction, trajectory = [] }: ScoreRequest,
  models: OpenModels,
): Promise<ReadyDirections> {
  return {
    direction: direction === undefined ? null : await resolveDirection(store, direction, models.ranker.model),
    checkpoints: await Promise.all(
      trajectory.map(async (checkpoint, index): Promise<ReadyCheckpoint> => {
        const ranker = models.checkpoints[index] as Ranker;
        const resolved = await resolveDirection(store, checkpoint.direction, ranker.model);
        return { ranker, direction: resolved, learningRate: checkpoint.learning_rate };
      }),
    ),
  };
}

/**
 * The directions of a request as a dataset remembers them: `name@digest` with 8 hex digits of the vector's digest, those of a trajectory
 * with their learning rates.
 */
export function directionNames(
  { direction: name, trajectory = [] }: ScoreRequest,
  { direction, checkpoints }: ReadyDirections,
): string[] {
  return [
    ...(direction === null ? [] : [`${name}@${direction.digest.slice(0, 8)}`]),
    ...checkpoints.map(({ ranker, direction: { digest }, learningRate }, index) => {
      const at = `${trajectory[index]?.direction}@${digest.slice(0, 8)}`;
      return `${learningRate} × ${at} of ${modelId(ranker.model)}`;
    }),
  ];
}

/** What the models of a request say of its samples. */
export interface ModelRuns {
  /** Of the request's own model. */
  readonly outputs: KnownOutputs;
  /** Of which of them the gradients are known; null where of all that the signals read. */
  readonly drawn: DrawnShare | null;
  /** What the signals read beside these. */
  readonly context: SignalContext;
  /** Why the store could not be asked; null where it answered. */
  readonly storeFailure: AssayError | null;
  /** Resolves when all that was run is in the store, to null, or to why it is not. */
  readonly kept: Promise<AssayError | null>;
}

/** Runs the models of a request, each where the store does not know its outputs. */
export async function runModels(
  { models, store }: { models: OpenModels; store: Store },
  plan: ScoringPlan,
  { direction, checkpoints }: ReadyDirections,
  samples: readonly Sample[],
  labelled: LabelledTexts,
  stopwatch: Stopwatch,
  caller: Caller,
): Promise<ModelRuns> {
  const { ranker, reference } = models;
  const { outputs, drawn } = await ownOutputs(
    { ranker, store },
    plan,
    direction,
    labelled,
    stopwatch,
    caller,
  );
  const referred =
    reference && (await referenceLosses({ ranker: reference, store }, labelled, stopwatch, caller));
  const influence = await influenceOver(checkpoints, store, labelled, stopwatch, caller);
  const all = [outputs, ...(referred === null ? [] : [referred.outputs]), ...influence.outputs];
  const given = new Map<SignalName, SignalColumn>();
  if (checkpoints.length > 0) given.set("influence", influence.column);
  if (plan.learned !== null) {
    const column = learnedColumn(ranker, plan.learned, outputs, samples, labelled, caller.signal);
    given.set("learned", await column);
  }
  return {
    outputs,
    drawn,
    context: {
      groups: labelled.groups,
      directionNorm: direction?.norm,
      referenceLosses: referred?.losses ?? sentLosses(plan, samples),
      given,
    },
    storeFailure: all.find((one) => one.storeFailure !== null)?.storeFailure ?? null,
    kept: firstFailure(all.map((one) => one.kept)),
  };
}

/** (N) The reference losses that came with the samples, where one is read. */
function sentLosses({ readings }: ScoringPlan, samples: readonly Sample[]): (number | null)[] | undefined {
  return readings.has("reference") ? samples.map(({ reference_loss = null }) => reference_loss) : undefined;
}

async function ownOutputs(
  ports: { ranker: Ranker; store: Store },
  plan: ScoringPlan,
  direction: ResolvedDirection | null,
  { texts }: LabelledTexts,
  stopwatch: Stopwatch,
  caller: Caller,
): Promise<{ outputs: KnownOutputs; drawn: DrawnShare | null }> {
  if (plan.exactShare !== null) return sharedOutputs(ports, texts, plan.exactShare, stopwatch, caller);
  return {
    outputs: await knownOutputs(ports, texts, wantedOf(plan, direction), stopwatch, caller),
    drawn: null,
  };
}

function wantedOf({ graph, precision, learned }: ScoringPlan, direction: ResolvedDirection | null): Wanted {
  const features = learned !== null && learned.features > 0;
  // checkDirection made sure that a plan for tangents has its direction.
  if (graph === "tangent") return { graph, direction: direction as ResolvedDirection, features };
  return graph === "norms" ? { graph, features } : { graph, precision, features };
}

async function firstFailure(kept: readonly Promise<AssayError | null>[]): Promise<AssayError | null> {
  return (await Promise.all(kept)).find((failure) => failure !== null) ?? null;
}
