import { AssayError, type Fault, throwFaults } from "../../errors.js";
import { largest } from "../../importance/columns.js";
import { effectiveSize } from "../../importance/diagnostics.js";
import {
  type EstimatedMean,
  hajek,
  horvitzThompson,
  importanceMean,
  relativeWeights,
  selfNormalised,
  shares,
} from "../../importance/estimation/means.js";
import { type ParetoTail, paretoTail } from "../../importance/pareto.js";
import { sum } from "../../importance/sum.js";

/** How the samples came to be there. */
export const ESTIMATORS = ["horvitz_thompson", "hajek", "importance", "self_normalised"] as const;
export type Estimator = (typeof ESTIMATORS)[number];

/** Values of samples that were not drawn evenly from the population, and how they were drawn. */
export interface EstimateRequest {
  /** (N) values of each quantity, by its name. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  /** (N) in (0, 1]: the chance that a member of the population was included, each by itself. */
  readonly inclusion_probabilities?: readonly number[] | undefined;
  /** Number of members of the population. Absent: it is estimated too. */
  readonly population?: number | undefined;
  /** (N) logarithm of the density (or probability) of each sample where the mean is wanted. */
  readonly log_p?: readonly number[] | undefined;
  /** (N) the same where it was drawn. */
  readonly log_q?: readonly number[] | undefined;
  /** Whether both densities integrate to 1. Otherwise each may lack a constant factor. */
  readonly normalised?: boolean | undefined;
}

export interface NamedEstimate extends EstimatedMean {
  readonly name: string;
  /** The plain mean of the values, for comparison. */
  readonly plainMean: number;
}

export interface EstimateAnswer {
  readonly estimator: Estimator;
  readonly samples: number;
  /** In the order of the request's names. */
  readonly estimates: readonly NamedEstimate[];
  readonly effectiveSampleSize: number;
  /** The largest weight as a fraction of all. */
  readonly maxWeight: number;
  readonly pareto: ParetoTail;
  readonly advice: readonly string[];
}

/** A mean of weights with a tail of this shape does not exist. */
const PARETO_K_HOPELESS = 1;
/** A sample with more than this part of the weight decides every estimate. */
const SHARE_HOPELESS = 0.9;
/** Ratios of densities above this would overflow in squares. */
const RATIO_MAX = 1e100;
/** The advice mentions fewer. */
const EFFECTIVE_FEW = 30;

/**
 * Estimates means over a population from samples that were not drawn evenly from it. Throws `invalid_request` for lists of
 * different lengths, and `weights_hopeless` if weights made of densities are so unequal that no estimate can be trusted.
 */
export function estimateMeans(request: EstimateRequest): EstimateAnswer {
  const drawn = drawnOf(request);
  const { weights, estimator } = drawn;
  const pareto = paretoTail(weights);
  const normalised = shares(weights);
  const effectiveSampleSize = effectiveSize(normalised);
  const maxWeight = largest(normalised);
  // Estimates by known probabilities are unbiased whatever their tail, and their standard errors are too.
  if (drawn.isModelled) refuseHopeless(pareto, maxWeight, weights.length);
  return {
    estimator,
    samples: weights.length,
    estimates: Object.entries(request.values).map(([name, values]) => ({
      name,
      ...drawn.estimate(values),
      plainMean: sum(Float64Array.from(values)) / values.length,
    })),
    effectiveSampleSize,
    maxWeight,
    pareto,
    advice: adviceOn(pareto, effectiveSampleSize),
  };
}

interface Drawn {
  readonly estimator: Estimator;
  readonly weights: Float64Array; // (N), in any unit
  /** Whether densities made the weights, and not probabilities of inclusion. */
  readonly isModelled: boolean;
  readonly estimate: (values: readonly number[]) => EstimatedMean;
}

function drawnOf({
  values,
  inclusion_probabilities: pi,
  population,
  log_p,
  log_q,
  normalised,
}: EstimateRequest): Drawn {
  if (pi !== undefined) {
    checkLengths(values, { inclusion_probabilities: pi });
    const weights = Float64Array.from(pi, (probability) => 1 / probability);
    if (population === undefined)
      return { estimator: "hajek", weights, isModelled: false, estimate: (x) => hajek(x, pi) };
    if (population < pi.length)
      throwFaults("invalid_request", [
        { path: "/population", message: `must be at least ${pi.length}, the number of samples` },
      ]);
    return {
      estimator: "horvitz_thompson",
      weights,
      isModelled: false,
      estimate: (x) => horvitzThompson(x, pi, population),
    };
  }
  const [logP, logQ] = [log_p ?? [], log_q ?? []];
  checkLengths(values, { log_p: logP, log_q: logQ });
  const weights = relativeWeights(logP, logQ);
  if (normalised !== true)
    return {
      estimator: "self_normalised",
      weights,
      isModelled: true,
      estimate: (x) => selfNormalised(x, weights),
    };
  const ratios = Float64Array.from(logP, (p, i) => Math.exp(p - (logQ[i] as number)));
  if (!ratios.every((ratio) => ratio <= RATIO_MAX))
    throwFaults("invalid_request", [
      {
        path: "/log_p",
        message: `is so far above log_q that a ratio of densities is over ${RATIO_MAX}: check both, or leave normalised out`,
      },
    ]);
  return { estimator: "importance", weights, isModelled: true, estimate: (x) => importanceMean(x, ratios) };
}

/** Every list has to be as long as the first. */
function checkLengths(
  values: EstimateRequest["values"],
  others: Readonly<Record<string, readonly number[]>>,
): void {
  const lists = [
    ...Object.entries(values).map(([name, list]) => ({ path: `/values/${name}`, list })),
    ...Object.entries(others).map(([name, list]) => ({ path: `/${name}`, list })),
  ];
  const count = lists[0]?.list.length ?? 0;
  const faults = lists
    .filter(({ list }) => list.length !== count)
    .map(({ path, list }): Fault => {
      return { path, message: `has ${list.length} entries, but ${lists[0]?.path} has ${count}` };
    });
  throwFaults("invalid_request", faults);
}

function refuseHopeless({ k }: ParetoTail, maxWeight: number, count: number): void {
  if (count > 1 && maxWeight > SHARE_HOPELESS)
    throw new AssayError("weights_hopeless", {
      detail: `One sample has ${Math.floor(100 * maxWeight)}% of the weight and would decide the estimate. Draw samples that are closer to the population you ask about`,
    });
  if (k === null || k < PARETO_K_HOPELESS) return;
  throw new AssayError("weights_hopeless", {
    detail: `Pareto k̂ of the weights is ${k.toFixed(2)}: above 1 the weights have no mean, and more samples do not help. Draw samples that are closer to the population you ask about`,
  });
}

function adviceOn({ k, threshold }: ParetoTail, effective: number): string[] {
  const advice: string[] = [];
  if (k !== null && threshold !== null && k > threshold)
    advice.push(
      `Pareto k̂ is ${k.toFixed(2)}, above ${threshold.toFixed(2)}: a few samples decide the estimates, and the standard errors may be too small.`,
    );
  if (effective < EFFECTIVE_FEW)
    advice.push(
      `The samples are worth only ${effective.toPrecision(2)} equally weighted ones: read the interval as rough.`,
    );
  return advice;
}
