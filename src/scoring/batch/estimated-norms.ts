import { featuresOf } from "../../importance/calibration.js";
import { type Completer, completerOf, type Estimate } from "../../importance/completion.js";
import { pearson, spearman } from "../../importance/correlation.js";
import { sum } from "../../importance/sum.js";
import type { LogitBatch } from "../../importance/types.js";
import type { DrawnSamples } from "./fraction-outputs.js";

/** Gradient norms of N samples: exact for samples whose gradients are known, estimated for the others. */
export interface EstimatedNorms {
  readonly norms: Float64Array; // (N)
  /** (N) One standard error of each norm; 0 if the norm is exact. */
  readonly errors: Float64Array;
  readonly exact: readonly boolean[]; // (N)
  /** Estimates figures of the whole batch; null if every norm is exact. */
  readonly completer: Completer | null;
  readonly report: FractionReport;
}

/** What the exact norms say about the batch and about the proxy. */
export interface FractionReport {
  /** Number of exact samples behind the figures: those drawn, or the whole batch if all of it is exact. */
  readonly samples: number;
  /** Rank correlation of `grad_norm_last` with `grad_norm`; null for fewer than `CORRELATED_MIN` samples or without variation. */
  readonly spearman: number | null;
  readonly pearson: number | null;
  /** One standard error of an estimate, as a fraction of the estimate; 0 if nothing is estimated. */
  readonly relativeError: number;
  /** Σ `grad_norm` of the batch. */
  readonly sum: Estimate;
}

/** The fewest samples for a correlation. With fewer it is too uncertain to be useful. */
export const CORRELATED_MIN = 50;

/**
 * Estimates the unknown norms from those of the drawn samples. Null if the drawn samples do not suffice: fewer than five of them
 * have a gradient.
 *
 * @param proxies (N) `grad_norm_last`
 * @param known (N) `grad_norm`; only the exact ones are read
 */
export function estimateNorms(
  batch: LogitBatch,
  proxies: Float64Array,
  known: Float64Array,
  { indices, exact }: DrawnSamples,
): EstimatedNorms | null {
  if (exact.every((isExact) => isExact)) return allExact(proxies, known);
  const ofDrawn = Float64Array.from(indices, (index) => known[index] as number);
  const completer = completerOf({
    proxies,
    features: featuresOf(batch, proxies),
    exactIndices: indices,
    exact: ofDrawn,
  });
  if (completer === null) return null;
  const { estimates, relativeError } = completer.calibration;
  const proxiesOfDrawn = Float64Array.from(indices, (index) => proxies[index] as number);
  return {
    norms: estimates.map((estimate, index) => (exact[index] ? (known[index] as number) : estimate)),
    errors: estimates.map((estimate, index) => (exact[index] ? 0 : relativeError * estimate)),
    exact,
    completer,
    report: {
      samples: indices.length,
      ...correlations(proxiesOfDrawn, ofDrawn),
      relativeError,
      sum: completer.estimate(sum),
    },
  };
}

/** The same for a batch whose norms are all known. */
export function allExact(proxies: Float64Array, norms: Float64Array): EstimatedNorms {
  return {
    norms,
    errors: new Float64Array(norms.length),
    exact: Array.from(norms, () => true),
    completer: null,
    report: {
      samples: norms.length,
      ...correlations(proxies, norms),
      relativeError: 0,
      sum: { value: sum(norms), error: 0 },
    },
  };
}

function correlations(
  proxies: Float64Array,
  norms: Float64Array,
): Pick<FractionReport, "spearman" | "pearson"> {
  if (norms.length < CORRELATED_MIN) return { spearman: null, pearson: null };
  return { spearman: spearman(proxies, norms), pearson: pearson(proxies, norms) };
}

/** Advice for readers of estimates. `dataset` is the dataset that remembers the samples, if any. */
export function adviceOnEstimates({ exact, report }: EstimatedNorms, dataset: string | undefined): string[] {
  const estimated = exact.filter((isExact) => !isExact).length;
  if (estimated === 0) return [];
  const off = `${(100 * report.relativeError).toFixed(0)}%`;
  const few =
    report.samples < CORRELATED_MIN
      ? [
          `The exact share has ${report.samples} samples, fewer than ${CORRELATED_MIN}: correlations are null, and the errors are uncertain themselves. Send larger batches or raise exact_fraction.`,
        ]
      : [];
  return [
    `${estimated} of ${exact.length} values of grad_norm are estimates, off by ${off} (one standard error).`,
    ...few,
    ...(dataset === undefined
      ? []
      : [`Estimates are not remembered: dataset ${dataset} gets only the exact values of grad_norm.`]),
  ];
}
