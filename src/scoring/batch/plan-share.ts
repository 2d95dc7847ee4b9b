import { throwFaults } from "../../errors.js";
import type { SignalName } from "../../importance/types.js";

import { readingsOf } from "../requests/needs.js";
import type { ScoreRequest } from "../requests/score-request.js";

/** Which share of a batch to score exactly. */
export interface ExactShare {
  /** Above 0, at most 1. */
  readonly fraction: number;
  /** Another seed, another share. */
  readonly seed: number;
}

/** The request's share, null where it names none; throws `unsuitable_signal` where it has no meaning for the signals. */
export function suitExactShare(request: ScoreRequest, computed: readonly SignalName[]): ExactShare | null {
  if (request.exact_fraction === undefined) return null;
  const path = "/exact_fraction";
  if (!computed.includes("grad_norm")) {
    throwFaults("unsuitable_signal", [{ path, message: "is of grad_norm: ask for it, or weigh by it" }]);
  }
  const others = computed.filter(
    (name) => name !== "grad_norm" && readingsOf([name], request.trajectory !== undefined).size > 0,
  );
  throwFaults(
    "unsuitable_signal",
    others.map((name) => ({
      path,
      message: `goes with signals that read nothing but logits and labels, and ${name} reads more: ask for it without`,
    })),
  );
  return { fraction: request.exact_fraction, seed: request.seed ?? 0 };
}
