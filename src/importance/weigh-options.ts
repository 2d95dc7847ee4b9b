import type { SchemeName, SchemeParameters } from "./schemes.js";

/** `sum`: weights in [0, 1] that sum to 1. `mean`: weights whose mean is 1. */
export const NORMALISATIONS = ["sum", "mean"] as const;
export type Normalisation = (typeof NORMALISATIONS)[number];

/** What a weight is for: it multiplies a sample's loss, or it is the chance that the sample is drawn. */
export const ROLES = ["multiplier", "probability"] as const;
export type Role = (typeof ROLES)[number];

/** How scores become weights, every field said. */
export interface WeighOptions extends SchemeParameters {
  readonly scheme: SchemeName;
  readonly role: Role;
  /** λ in [0, 1]: w ← (1 − λ)w + λ/N, before the clip. */
  readonly smoothing: number;
  /** Cap on w / mean w, finite and at least 1; null for none. */
  readonly clip: number | null;
  /** `sum` with role `probability`. */
  readonly normalise: Normalisation;
}

/** What an option is that nobody set. */
export const WEIGH_DEFAULTS: Readonly<Omit<WeighOptions, "scheme">> = {
  alpha: 1,
  temperature: 1,
  epsilon: 0.1,
  lambda: 1,
  role: "multiplier",
  smoothing: 0,
  clip: null,
  normalise: "sum",
};

/** @throws RangeError where an option lies outside its range */
export function checkOptions(options: WeighOptions): void {
  const { alpha, temperature, epsilon, lambda, smoothing, clip, role, normalise } = options;
  if (!(alpha >= 0 && alpha < Infinity)) throw new RangeError(`alpha ${alpha} is not finite and at least 0`);
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`temperature ${temperature} is not finite and above 0`);
  }
  if (!(epsilon > 0 && epsilon < Infinity)) {
    throw new RangeError(`epsilon ${epsilon} is not finite and above 0`);
  }
  if (!(lambda >= 0 && lambda < Infinity))
    throw new RangeError(`lambda ${lambda} is not finite and at least 0`);
  if (!(smoothing >= 0 && smoothing <= 1)) throw new RangeError(`smoothing ${smoothing} is not in [0, 1]`);
  if (clip !== null && !(clip >= 1 && clip < Infinity)) {
    throw new RangeError(
      `clip ${clip} is not finite and at least 1: weights cannot all lie below their mean`,
    );
  }
  if (role === "probability" && normalise === "mean") {
    throw new RangeError("draw probabilities sum to 1: role probability takes no mean-1 weights");
  }
}
