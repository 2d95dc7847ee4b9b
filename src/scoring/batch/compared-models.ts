import type { Fault } from "../../errors.js";
import type { SignalName } from "../../importance/types.js";
import type { Ranker } from "../../ranker/port.js";
import { type AskedSignal, throwFaults } from "../requests/checks.js";
import { lackOfModel, readingsOf } from "../requests/needs.js";
import type { ScoreRequest } from "../requests/score-request.js";
import type { OpenModels } from "./open-models.js";

/** Throws `missing_direction` where a signal is measured along one, `unsuitable_signal` where none is and one is named. */
export function checkDirection({ direction, trajectory }: ScoreRequest, asked: readonly AskedSignal[]): void {
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
}

/** Throws `missing_reference` where `rho` has no reference loss, or two; `unsuitable_signal` where a second model does not fit. */
export function checkReference(
  { reference, samples }: ScoreRequest,
  computed: readonly SignalName[],
  models: OpenModels,
): void {
  if (!computed.includes("rho")) {
    if (reference !== undefined) {
      throwFaults("unsuitable_signal", [{ path: "/reference", message: "is read by rho: ask for it" }]);
    }
    return;
  }
  const sent = samples.map(({ reference_loss }) => reference_loss !== undefined);
  if (reference === undefined) {
    const message = "is required by rho, or reference.model in place of it";
    throwFaults("missing_reference", faultsWhere(sent, false, message));
    return;
  }
  throwFaults("invalid_sample", faultsWhere(sent, true, "stands beside reference.model: send one of them"));
  throwFaults("unsuitable_signal", classFaults(models, models.reference, "/reference/model"));
}

/** Throws `unsuitable_signal` where nothing reads the trajectory, or one of its models does not fit. */
export function checkTrajectory(
  { trajectory }: ScoreRequest,
  computed: readonly SignalName[],
  models: OpenModels,
): void {
  if (trajectory !== undefined && !computed.includes("influence")) {
    throwFaults("unsuitable_signal", [{ path: "/trajectory", message: "is read by influence: ask for it" }]);
  }
  const faults = models.checkpoints.flatMap((checkpoint, index): Fault[] => {
    const path = `/trajectory/${index}/model`;
    const lack = lackOfModel(readingsOf(["influence"], false), checkpoint.model);
    const graphFaults = lack === null ? [] : [{ path, message: `influence needs ${lack}` }];
    return [...graphFaults, ...classFaults(models, checkpoint, path)];
  });
  throwFaults("unsuitable_signal", faults);
}

function faultsWhere(sent: readonly boolean[], value: boolean, message: string): Fault[] {
  return sent.flatMap((isSent, index) =>
    isSent === value ? [{ path: `/samples/${index}/reference_loss`, message }] : [],
  );
}

/** One request has one kind of label, so all its models have the same logits. */
function classFaults({ ranker }: OpenModels, other: Ranker | null, path: string): Fault[] {
  const { name, classes } = ranker.model;
  if (other === null || other.model.classes === classes) return [];
  return [
    { path, message: `has ${other.model.classes} logits, and model ${name} ${classes}: labels differ` },
  ];
}
