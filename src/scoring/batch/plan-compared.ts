import { type Fault, throwFaults } from "../../errors.js";
import type { SignalName } from "../../importance/types.js";
import type { Ranker } from "../../ranker/port.js";
import { type AskedSignal, lackOfModel, readingsOf } from "../requests/checks.js";
import type { ScoreRequest } from "../requests/score-request.js";
import type { OpenModels } from "./open-models.js";

/**
 * The direction along which signals are measured, or null. Throws `missing_direction` if a signal needs a direction and the
 * request names none, and `unsuitable_signal` if the request names a direction that no signal reads.
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
        ? "is read only by influence, alignment and tangent: ask for one of them, or leave it out"
        : "is not read, because influence is summed over trajectory: send one of the two, or ask for alignment or tangent, which read direction";
    throwFaults("unsuitable_signal", [{ path: "/direction", message }]);
  }
  return direction ?? null;
}

/** The source of the reference losses of `rho`: the samples (N), or a second model. */
export type ReferenceSource =
  | { readonly kind: "sent"; readonly losses: readonly (number | null)[] }
  | { readonly kind: "model"; readonly ranker: Ranker };

/**
 * The source of the reference losses of `rho`; null if `rho` is not computed. Throws `missing_reference` if a sample has no
 * reference loss, `invalid_sample` if it has one in addition to a second model, and `unsuitable_signal` if the second model
 * does not fit.
 */
export function suitReference(
  { reference, samples }: ScoreRequest,
  computed: readonly SignalName[],
  models: OpenModels,
): ReferenceSource | null {
  if (!computed.includes("rho")) {
    if (reference !== undefined) {
      throwFaults("unsuitable_signal", [
        { path: "/reference", message: "is read only by rho: ask for rho, or leave it out" },
      ]);
    }
    return null;
  }
  const sent = samples.map(({ reference_loss }) => reference_loss !== undefined);
  if (models.reference === null) {
    const message = "is required by rho: send it for every sample, or send reference.model";
    throwFaults("missing_reference", faultsWhere(sent, false, message));
    return { kind: "sent", losses: samples.map(({ reference_loss = null }) => reference_loss) };
  }
  throwFaults(
    "invalid_sample",
    faultsWhere(sent, true, "is sent in addition to reference.model: send only one of them"),
  );
  throwFaults("unsuitable_signal", classFaults(models, models.reference, "/reference/model"));
  return { kind: "model", ranker: models.reference };
}

/**
 * The gradient scope that all models of a trajectory have, and the model itself; `own` is null if its gradients are not read.
 * Throws `unsuitable_signal` if they differ: figures of different parameters are not summed, and not answered side by side.
 */
export function commonScope(own: string | null, trajectory: OpenModels["trajectory"]): string | null {
  const scopes = trajectory.map(({ ranker }) => ranker.model.gradientScope);
  const expected = own ?? scopes[0] ?? null;
  throwFaults(
    "unsuitable_signal",
    scopes.flatMap((scope, index): Fault[] =>
      scope === expected
        ? []
        : [
            {
              path: `/trajectory/${index}/model`,
              message: `has gradients of the scope ${JSON.stringify(scope)}, and the other models of ${JSON.stringify(expected)}: export all of them with one --gradient-scope`,
            },
          ],
    ),
  );
  return expected;
}

/** Throws `unsuitable_signal` if no signal reads the trajectory, or if one of its models does not fit. */
export function checkTrajectory(computed: readonly SignalName[], models: OpenModels): void {
  if (!computed.includes("influence")) {
    throwFaults("unsuitable_signal", [
      { path: "/trajectory", message: "is read only by influence: ask for influence, or leave it out" },
    ]);
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

/** All models of a request must have the same number of logits, because they share its labels. */
function classFaults({ ranker }: OpenModels, other: Ranker, path: string): Fault[] {
  const { name, classes } = ranker.model;
  if (other.model.classes === classes) return [];
  return [
    {
      path,
      message: `has a different number of logits (${other.model.classes}) than model ${name} (${classes}), so they cannot share labels`,
    },
  ];
}
