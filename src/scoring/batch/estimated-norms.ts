import { featuresOf } from "../../importance/calibration.js";
import { type Completer, completerOf, type Estimate } from "../../importance/completion.js";
import { pearson, spearman } from "../../importance/correlation.js";
import { sum } from "../../importance/sum.js";
import type { LogitBatch } from "../../importance/types.js";
import type { DrawnSamples } from "./fraction-outputs.js";

/** Gradient norms of N samples, exact where the gradients are known and estimates elsewhere. */
export interface EstimatedNorms {
  readonly norms: Float64Array; // (N)
  /** (N) One standard error of each; 0 where it is exact. */
  readonly errors: Float64Array;
  readonly exact: readonly boolean[]; // (N)
  /** Estimates figures of the whole batch; null where every norm is exact. */
  readonly completer: Completer | null;
  readonly report: FractionReport;
}

/** What the exact norms tell of the batch and of the proxy. */
export interface FractionReport {
  /** Exact samples that the figures are from: those drawn, or the batch where all of it is exact. */
  readonly samples: number;
  /** Of `grad_norm_last` with `grad_norm`; null of fewer than `CORRELATED_MIN` samples or without variation. */
  readonly spearman: number | null;
  readonly pearson: number | null;
  /** One standard error of an estimate as a part of it; 0 where nothing is estimated. */
  readonly relativeError: number;
  /** Σ `grad_norm` of the batch. */
  readonly sum: Estimate;
}

/** A correlation of fewer samples is too uncertain to be read. */
export const CORRELATED_MIN = 50;

/**
 * Estimates the norms that are not known with the help of those drawn. Null where these are too poor for it: fewer than
 * five of them have a gradient.
 *
 * @param proxies (N) `grad_norm_last`
 * @param known (N) `grad_norm`, read where it is exact
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

/** The same of a batch whose norms are all known. */
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

/** What a person should know who reads estimates; `dataset` is where the samples are remembered. */
export function adviceOnEstimates({ exact, report }: EstimatedNorms, dataset: string | undefined): string[] {
  const estimated = exact.filter((isExact) => !isExact).length;
  if (estimated === 0) return [];
  const off = `${(100 * report.relativeError).toFixed(0)}%`;
  const few =
    report.samples < CORRELATED_MIN
      ? [
          `The exact share has ${report.samples} samples, under ${CORRELATED_MIN}: no correlations, and errors that are uncertain themselves. Send larger batches or raise exact_fraction.`,
        ]
      : [];
  return [
    `${estimated} of ${exact.length} values of grad_norm are estimates, off by ${off} (one standard error).`,
    ...few,
    ...(dataset === undefined
      ? []
      : [`Estimates are not remembered: ${dataset} has the exact values of grad_norm only.`]),
  ];
}
