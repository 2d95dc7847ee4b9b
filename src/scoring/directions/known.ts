import { AssayError } from "../../errors.js";
import type { DirectionVector, ModelDescription, Rankers } from "../../ranker/port.js";
import { modelId } from "../../ranker/port.js";
import type { Page } from "../../store/dataset-records.js";
import type { DirectionInfo, DirectionKind, DirectionStore } from "../../store/port.js";
import type { Ports } from "../ports.js";

/** A direction as a run takes it, with the facts that signals read. */
export interface ResolvedDirection extends DirectionVector {
  readonly name: string;
  readonly kind: DirectionKind;
  /** ‖v‖. */
  readonly norm: number;
  /** Whether its entries were multiplied by a vector, such as an optimiser's step sizes. */
  readonly preconditioned: boolean;
}

/** A direction and whether it can still be used. */
export interface KnownDirection extends DirectionInfo {
  /** True if no served model has the weights and the gradient scope that the direction was made with. */
  readonly stale: boolean;
}

/**
 * The direction of that name, for a run of the model. Throws `direction_not_found`. Throws `direction_stale` if the direction was
 * made with other weights than the model has, because its entries belong to the gradients of those weights, or under another
 * gradient scope, because its entries belong to other parameters. Reading the vector throws `direction_not_found` if the direction has been replaced meanwhile.
 */
export async function resolveDirection(
  store: DirectionStore,
  name: string,
  model: ModelDescription,
): Promise<ResolvedDirection> {
  const info = await storedDirection(store, name);
  checkFresh(info, model);
  return {
    name,
    digest: info.digest,
    kind: info.kind,
    norm: info.norm,
    preconditioned: info.scale !== null,
    read: () => store.readDirectionVector(name, info.digest),
  };
}

/** A direction without its vector. Throws `direction_not_found`. */
export async function readDirection({ rankers, store }: Ports, name: string): Promise<KnownDirection> {
  return withStaleness(rankers)(await storedDirection(store, name));
}

/** A page of the directions, in the order of their names. */
export async function listDirections(
  { rankers, store }: Ports,
  cursor: string | null,
  limit: number,
): Promise<Page<KnownDirection>> {
  const page = await store.listDirections(cursor, limit);
  return { items: page.items.map(withStaleness(rankers)), cursor: page.cursor };
}

/** Deletes a direction. Throws `direction_not_found`. */
export async function deleteDirection(store: DirectionStore, name: string): Promise<void> {
  if (!(await store.deleteDirection(name))) throw directionNotFound(name);
}

function withStaleness(rankers: Rankers): (info: DirectionInfo) => KnownDirection {
  const served = rankers.describe();
  return (info) => ({
    ...info,
    stale: !served.some(
      ({ weightsDigest, gradientScope }) =>
        weightsDigest === info.weightsDigest && gradientScope === info.gradientScope,
    ),
  });
}

export async function storedDirection(store: DirectionStore, name: string): Promise<DirectionInfo> {
  const info = await store.readDirection(name);
  if (info === null) throw directionNotFound(name);
  return info;
}

function directionNotFound(name: string): AssayError {
  return new AssayError("direction_not_found", { detail: `No direction is named ${JSON.stringify(name)}` });
}

function foreignDirection({ name, gradientScope }: DirectionInfo, served: ModelDescription): AssayError {
  return new AssayError("direction_stale", {
    detail: `Direction ${JSON.stringify(name)} is over the parameters of the gradient scope ${JSON.stringify(gradientScope)}, and model ${served.name} now has gradients of ${JSON.stringify(served.gradientScope)}: make the direction again`,
  });
}

/** Throws `direction_stale` unless the direction is of the gradients that the model has now. */
export function checkFresh(info: DirectionInfo, model: ModelDescription): void {
  if (info.weightsDigest !== model.weightsDigest) throw staleDirection(info, model);
  if (info.gradientScope !== model.gradientScope) throw foreignDirection(info, model);
}

function staleDirection({ name, model }: DirectionInfo, served: ModelDescription): AssayError {
  return new AssayError("direction_stale", {
    detail: `Direction ${JSON.stringify(name)} was made with the weights of ${modelId(model)}, but the model is now ${modelId(served)}: make the direction again`,
  });
}
