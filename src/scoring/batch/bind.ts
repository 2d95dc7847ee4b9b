import { modelId, type Wanted } from "../../ranker/port.js";
import type { DirectionStore } from "../../store/port.js";
import { type ResolvedDirection, resolveDirection } from "../directions/known.js";
import type { PlannedRun, ScoringPlan } from "./plan.js";
import type { ExactShare } from "./plan-share.js";
import type { ReadyCheckpoint } from "./trajectory.js";

/** A plan whose directions are known, each bound to the weights of the model that is run along it. */
export interface BoundPlan extends Omit<ScoringPlan, "run" | "trajectory"> {
  readonly run: BoundRun;
  readonly trajectory: readonly ReadyCheckpoint[];
  /**
   * The directions as a dataset remembers them: `name@digest` with 8 hex digits of the vector's digest, those of a trajectory with
   * their learning rates.
   */
  readonly directions: readonly string[];
}

export type BoundRun =
  | Exclude<Wanted, { graph: "tangent" }>
  | { readonly graph: "tangent"; readonly direction: ResolvedDirection; readonly features: boolean }
  | { readonly graph: "share"; readonly share: ExactShare };

/** Looks the plan's directions up. Throws `direction_not_found`, and `direction_stale` for a direction of other weights. */
export async function bindDirections(plan: ScoringPlan, store: DirectionStore): Promise<BoundPlan> {
  const { ranker } = plan;
  const run = await bindRun(plan.run, (name) => resolveDirection(store, name, ranker.model));
  const trajectory = await Promise.all(
    plan.trajectory.map(async (checkpoint): Promise<ReadyCheckpoint> => {
      const direction = await resolveDirection(store, checkpoint.direction, checkpoint.ranker.model);
      return { ...checkpoint, direction };
    }),
  );
  const own = run.graph === "tangent" ? [nameOf(run.direction)] : [];
  const summed = trajectory.map(
    ({ ranker: { model }, direction, learningRate }) =>
      `${learningRate} × ${nameOf(direction)} of ${modelId(model)}`,
  );
  return { ...plan, run, trajectory, directions: [...own, ...summed] };
}

async function bindRun(
  run: PlannedRun,
  resolve: (name: string) => Promise<ResolvedDirection>,
): Promise<BoundRun> {
  return run.graph === "tangent" ? { ...run, direction: await resolve(run.direction) } : run;
}

function nameOf({ name, digest }: ResolvedDirection): string {
  return `${name}@${digest.slice(0, 8)}`;
}
