import { AssayError, type Fault } from "../errors.js";
import { SCHEME_RULES, type SchemeName } from "../importance/schemes.js";
import { SIGNAL_RULES } from "../importance/suitability.js";
import type { SignalName } from "../importance/types.js";
import {
  type Normalisation,
  type Role,
  WEIGH_DEFAULTS,
  type WeighOptions,
} from "../importance/weigh-options.js";

/** How a request wants its weights; what it leaves out is `WEIGH_DEFAULTS`. */
export interface WeightingRequest {
  readonly signal: SignalName;
  readonly scheme: SchemeName;
  readonly role?: Role | undefined;
  readonly alpha?: number | undefined;
  readonly temperature?: number | undefined;
  readonly epsilon?: number | undefined;
  readonly lambda?: number | undefined;
  readonly smoothing?: number | undefined;
  readonly clip?: number | null | undefined;
  readonly normalise?: Normalisation | undefined;
}

/** The weighting of a labelled batch whose request names none. */
export const DEFAULT_WEIGHTING: WeightingRequest = {
  signal: "grad_norm_last",
  scheme: "proportional",
  smoothing: 0.1,
};

/**
 * The request with every default said. Throws `unsuitable_weighting` where the scheme does not take the signal, reads no such
 * parameter, or role and normalisation contradict each other.
 */
export function weighOptions(request: WeightingRequest): WeighOptions {
  const { signal, scheme } = request;
  const { parameters, nonNegativeOnly, signal: ofSignal } = SCHEME_RULES[scheme];
  const faults: Fault[] = [];
  if (nonNegativeOnly && !SIGNAL_RULES[signal].nonNegative) {
    const message = `${scheme} takes only signals that are never negative, and ${signal} can be; softmax and rank take it`;
    faults.push({ path: "/weighting/scheme", message });
  }
  if (ofSignal !== null && signal !== ofSignal) {
    faults.push({ path: "/weighting/signal", message: `must be ${ofSignal} for the scheme ${scheme}` });
  }
  for (const name of ["alpha", "temperature", "epsilon", "lambda"] as const) {
    if (request[name] === undefined || parameters.includes(name)) continue;
    const reads = parameters.length === 0 ? "no parameter" : parameters.join(" and ");
    faults.push({
      path: `/weighting/${name}`,
      message: `is not read by the scheme ${scheme}, which reads ${reads}`,
    });
  }
  if (request.role === "probability" && request.normalise === "mean") {
    faults.push({
      path: "/weighting/normalise",
      message: "must be sum for draw probabilities, which sum to 1",
    });
  }
  const first = faults[0];
  if (first !== undefined) {
    throw new AssayError("unsuitable_weighting", { detail: `${first.path} ${first.message}`, faults });
  }
  return {
    scheme,
    alpha: request.alpha ?? WEIGH_DEFAULTS.alpha,
    temperature: request.temperature ?? WEIGH_DEFAULTS.temperature,
    epsilon: request.epsilon ?? WEIGH_DEFAULTS.epsilon,
    lambda: request.lambda ?? WEIGH_DEFAULTS.lambda,
    role: request.role ?? WEIGH_DEFAULTS.role,
    smoothing: request.smoothing ?? WEIGH_DEFAULTS.smoothing,
    clip: request.clip ?? WEIGH_DEFAULTS.clip,
    normalise: request.normalise ?? WEIGH_DEFAULTS.normalise,
  };
}
