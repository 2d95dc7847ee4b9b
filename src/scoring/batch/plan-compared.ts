import { type Fault, throwFaults } from "../../errors.js";
import type { SignalName } from "../../importance/types.js";
import type { Ranker } from "../../ranker/port.js";
import { type AskedSignal, lackOfModel, readingsOf } from "../requests/checks.js";
import type { ScoreRequest } from "../requests/score-request.js";
import type { OpenModels } from "./open-models.js";

/**
 * The direction that signals are measured along, null where none is. Throws `missing_direction` where one is and none is named,
 * `unsuitable_signal` where none is and one is named.
 */
export function suitDirection(
  { direction, trajectory }: ScoreRequest,
  asked: readonly AskedSignal[],
): string | null {
  const along = asked.filter(({ signal }) => readingsOf([signal], trajectory !== undefined).has("tangent"));
  if (direction === undefined) {
    throwFaults(
      "missing_direction",
      along.map(({ signal, path }) => ({
        path,
        message: `${signal} is measured along a direction: name it in direction${signal === "influence" ? ", or give a trajectory" : ""}`,
      })),
    );
  } else if (along.length === 0) {
    const message =
      trajectory === undefined
        ? "is read by influence, alignment or tangent: ask for one"
        : "stands beside trajectory, which influence is summed over: send one of the two, or ask for alignment or tangent, which read direction";
    throwFaults("unsuitable_signal", [{ path: "/direction", message }]);
  }
  return direction ?? null;
}

/** Where the reference losses of `rho` come from: the samples (N), or a second model. */
export type ReferenceSource =
  | { readonly kind: "sent"; readonly losses: readonly (number | null)[] }
  | { readonly kind: "model"; readonly ranker: Ranker };

/**
 * Where `rho` takes its reference losses from; null where it is not computed. Throws `missing_reference` where it has none,
 * `invalid_sample` where it has two, `unsuitable_signal` where a second model does not fit.
 */
export function suitReference(
  { reference, samples }: ScoreRequest,
  computed: readonly SignalName[],
  models: OpenModels,
): ReferenceSource | null {
  if (!computed.includes("rho")) {
    if (reference !== undefined) {
      throwFaults("unsuitable_signal", [{ path: "/reference", message: "is read by rho: ask for it" }]);
    }
    return null;
  }
  const sent = samples.map(({ reference_loss }) => reference_loss !== undefined);
  if (models.reference === null) {
    const message = "is required by rho, or reference.model in place of it";
    throwFaults("missing_reference", faultsWhere(sent, false, message));
    return { kind: "sent", losses: samples.map(({ reference_loss = null }) => reference_loss) };
  }
  throwFaults("invalid_sample", faultsWhere(sent, true, "stands beside reference.model: send one of them"));
  throwFaults("unsuitable_signal", classFaults(models, models.reference, "/reference/model"));
  return { kind: "model", ranker: models.reference };
}

/** Throws `unsuitable_signal` where nothing reads the trajectory, or one of its models does not fit. */
export function checkTrajectory(computed: readonly SignalName[], models: OpenModels): void {
  if (!computed.includes("influence")) {
    throwFaults("unsuitable_signal", [{ path: "/trajectory", message: "is read by influence: ask for it" }]);
  }
  const faults = models.trajectory.flatMap(({ ranker }, index): Fault[] => {
    const path = `/trajectory/${index}/model`;
    const lack = lackOfModel(readingsOf(["influence"], false), ranker.model);
    const graphFaults = lack === null ? [] : [{ path, message: `influence needs ${lack}` }];
    return [...graphFaults, ...classFaults(models, ranker, path)];
  });
  throwFaults("unsuitable_signal", faults);
}

function faultsWhere(sent: readonly boolean[], value: boolean, message: string): Fault[] {
  return sent.flatMap((isSent, index) =>
    isSent === value ? [{ sample: index, path: "/reference_loss", message }] : [],
  );
}

/** One request has one kind of label, so all its models have the same logits. */
function classFaults({ ranker }: OpenModels, other: Ranker, path: string): Fault[] {
  const { name, classes } = ranker.model;
  if (other.model.classes === classes) return [];
  return [
    { path, message: `has ${other.model.classes} logits, and model ${name} ${classes}: labels differ` },
  ];
}
