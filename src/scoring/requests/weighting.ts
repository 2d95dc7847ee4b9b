import { type Fault, faultsError } from "../../errors.js";
import { type MixPart, mixRanks } from "../../importance/mix.js";
import { SCHEME_PARAMETERS, SCHEME_RULES, type SchemeName } from "../../importance/schemes.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import type { SignalName } from "../../importance/types.js";
import { type OptionValues, WEIGH_DEFAULTS, type WeighOptions } from "../../importance/weigh-options.js";

/** How a request wants its weights; what it leaves out is `WEIGH_DEFAULTS`. */
export type WeightingRequest = Partial<OptionValues> & { readonly scheme: SchemeName } & (
    | { readonly signal: SignalName; readonly mix?: undefined }
    | { readonly signal?: undefined; readonly mix: readonly MixedSignal[] }
  );

/** A weighting as it was posted: it may leave out what it weighs by. */
export interface PostedWeighting extends Partial<OptionValues> {
  readonly scheme: SchemeName;
  readonly signal?: SignalName | undefined;
  readonly mix?: readonly MixedSignal[] | undefined;
}

/** One signal of a mix, and how much its order counts. */
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

/** The weighting by its signal or mix; where it names neither, by the one signal of its scheme, or else by that of the default. */
export function byNamedSignals({ signal, mix, ...options }: PostedWeighting): WeightingRequest {
  if (mix !== undefined) return { ...options, mix };
  return {
    ...options,
    signal: signal ?? SCHEME_RULES[options.scheme].signal ?? DEFAULT_WEIGHTING.signal,
  };
}

/** The signals that the weighting reads, with the path of each in its request. */
export function weighedSignals({
  signal,
  mix,
}: WeightingRequest): readonly { readonly signal: SignalName; readonly path: string }[] {
  if (mix === undefined) return [{ signal, path: "/weighting/signal" }];
  return mix.map((part, index) => ({ signal: part.signal, path: `/weighting/mix/${index}/signal` }));
}

/**
 * The scores to weigh: the signal's values, or the mean rank of those mixed.
 *
 * @param valuesOf (N) of a signal, none absent
 */
export function weighedScores(
  { signal, mix }: WeightingRequest,
  valuesOf: (signal: SignalName) => ArrayLike<number>,
): Float64Array {
  if (mix === undefined) return Float64Array.from(valuesOf(signal));
  return mixRanks(
    mix.map((part): MixPart => ({ scores: Float64Array.from(valuesOf(part.signal)), share: part.share })),
  );
}

/**
 * The request with every default said. Throws `unsuitable_weighting` where the scheme does not take the signal, reads no such
 * parameter, a mix names a signal twice, or role and normalisation contradict each other.
 */
export function weighOptions(request: WeightingRequest): WeighOptions {
  const faults = [...schemeFaults(request), ...parameterFaults(request), ...mixFaults(request)];
  if (request.role === "probability" && request.normalise === "mean") {
    faults.push({
      path: "/weighting/normalise",
      message: "must be sum for draw probabilities, which sum to 1",
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
  const message = `${scheme} takes only signals that are never negative, and ${signal} can be; softmax and rank take it`;
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
      : [{ path: `/weighting/mix/${index}/signal`, message: `${name} stands in the mix already` }],
  );
}
