import { type Fault, faultsError, throwFaults } from "../../errors.js";
import type { SampleFactors } from "../../importance/factors.js";
import { isHard } from "../../importance/labels.js";
import { type MixPart, mixRanks } from "../../importance/mix.js";
import { SCHEME_PARAMETERS, SCHEME_RULES } from "../../importance/schemes.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import type { SchemeName, SignalName } from "../../importance/types.js";
import { type OptionValues, WEIGH_DEFAULTS, type WeighOptions } from "../../importance/weigh-options.js";
import { pointerOf } from "../../text/json-structure.js";
import { extraOf, type Sample } from "./sample.js";

/** How a request wants its weights made. Options that it leaves out have the values of `WEIGH_DEFAULTS`. */
export type WeightingRequest = Partial<OptionValues> & { readonly scheme: SchemeName } & (
    | { readonly signal: SignalName; readonly mix?: undefined }
    | { readonly signal?: undefined; readonly mix: readonly MixedSignal[] }
  );

/** A weighting as it was posted. It may name neither a signal nor a mix. */
export interface PostedWeighting extends Partial<OptionValues> {
  readonly scheme: SchemeName;
  readonly signal?: SignalName | undefined;
  readonly mix?: readonly MixedSignal[] | undefined;
}

/** One signal of a mix, and the share of its ranks in the mean. */
export interface MixedSignal {
  readonly signal: SignalName;
  /** Above 0. */
  readonly share: number;
}

/** The weighting of a labelled batch whose request names none. */
export const DEFAULT_WEIGHTING = {
  signal: "grad_norm_last",
  scheme: "proportional",
  smoothing: 0.1,
} as const satisfies WeightingRequest;

/** The weighting with its signal or mix. If it names neither, it takes its scheme's one signal, or else the default signal. */
export function byNamedSignals({ signal, mix, ...options }: PostedWeighting): WeightingRequest {
  if (mix !== undefined) return { ...options, mix };
  return {
    ...options,
    signal: signal ?? SCHEME_RULES[options.scheme].signal ?? DEFAULT_WEIGHTING.signal,
  };
}

/** The signals that the weighting reads, each with its path in the request. */
export function weighedSignals({
  signal,
  mix,
}: WeightingRequest): readonly { readonly signal: SignalName; readonly path: string }[] {
  if (mix === undefined) return [{ signal, path: "/weighting/signal" }];
  return mix.map((part, index) => ({ signal: part.signal, path: `/weighting/mix/${index}/signal` }));
}

/**
 * The scores to weigh: the values of the signal, or the mean ranks of the mixed signals.
 *
 * @param valuesOf gives the (N) values of a signal, none absent
 */
export function weighedScores(
  { signal, mix }: WeightingRequest,
  valuesOf: (signal: SignalName) => ArrayLike<number>,
): Float64Array {
  if (mix === undefined) return Float64Array.from(valuesOf(signal));
  return mixRanks(
    mix.map((part): MixPart => ({ scores: Float64Array.from(valuesOf(part.signal)), share: part.share })),
  ).scores;
}

/**
 * What the weighting multiplies the samples' raw weights by. Throws `invalid_sample` if a sample lacks the extra that `base` names or
 * if the extra is negative, and `missing_label` if the weighting balances classes and a sample has no hard label.
 *
 * @param classes the model's logits K
 */
export function sampleFactors(
  samples: readonly Sample[],
  { base, balance }: Pick<WeighOptions, "base" | "balance">,
  classes: number,
): SampleFactors {
  return {
    base: base === null ? null : basesOf(samples, base),
    classes: balance ? classesOf(samples, classes) : null,
  };
}

/**
 * The request's options with all defaults filled in. Throws `unsuitable_weighting` if the scheme does not take the signal or does
 * not read a parameter, if a mix names a signal twice, or if role and normalisation contradict each other.
 */
export function weighOptions(request: WeightingRequest): WeighOptions {
  const faults = [...schemeFaults(request), ...parameterFaults(request), ...mixFaults(request)];
  if (request.role === "probability" && request.normalise === "mean") {
    faults.push({
      path: "/weighting/normalise",
      message: "must be sum with role probability, because draw probabilities sum to 1",
    });
  }
  if (faults.length > 0) throw faultsError("unsuitable_weighting", faults);
  const { signal, mix, ...options } = request;
  return { ...WEIGH_DEFAULTS, ...options };
}

function schemeFaults({ scheme, signal, mix }: WeightingRequest): Fault[] {
  const rule = SCHEME_RULES[scheme];
  if (rule.signal !== null && signal !== rule.signal) {
    const path = mix === undefined ? "/weighting/signal" : "/weighting/mix";
    return [{ path, message: `must be the signal ${rule.signal} for the scheme ${scheme}` }];
  }
  if (signal === undefined || !rule.nonNegativeOnly || SIGNAL_TABLE[signal].nonNegative) return [];
  const message = `${scheme} takes only signals that are never negative, but ${signal} can be negative: use softmax or rank`;
  return [{ path: "/weighting/scheme", message }];
}

function parameterFaults(request: WeightingRequest): Fault[] {
  const { parameters } = SCHEME_RULES[request.scheme];
  const reads = parameters.length === 0 ? "no parameter" : parameters.join(" and ");
  return SCHEME_PARAMETERS.filter((name) => request[name] !== undefined && !parameters.includes(name)).map(
    (name) => ({
      path: `/weighting/${name}`,
      message: `is not read by the scheme ${request.scheme}, which reads ${reads}`,
    }),
  );
}

function mixFaults({ mix = [] }: WeightingRequest): Fault[] {
  const names = mix.map(({ signal }) => signal);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: `/weighting/mix/${index}/signal`, message: `${name} is already in the mix: leave one out` }],
  );
}

function basesOf(samples: readonly Sample[], name: string): Float64Array {
  const faults: Fault[] = [];
  const bases = Float64Array.from(samples, (sample, index) => {
    const base = extraOf(sample, name);
    if (base !== undefined && base >= 0) return base;
    const message =
      base === undefined
        ? "is required: it is the base of the weighting"
        : `must be at least 0, because it is the base of the weighting, not ${base}`;
    faults.push({ sample: index, path: pointerOf(["extras", name]), message });
    return 0;
  });
  throwFaults("invalid_sample", faults);
  return bases;
}

function classesOf(samples: readonly Sample[], classes: number): Uint16Array {
  const faults: Fault[] = [];
  const indexes = Uint16Array.from(samples, ({ label = null }, index) => {
    if (isHard(label, classes)) return label;
    const hard = classes === 1 ? "0 or 1" : "a class index";
    faults.push({ sample: index, path: "/label", message: `balance needs a hard label (${hard})` });
    return 0;
  });
  throwFaults("missing_label", faults);
  return indexes;
}
