import type { SchemeName } from "./schemes.js";

/** `sum`: weights in [0, 1] that sum to 1. `mean`: weights whose mean is 1. */
export const NORMALISATIONS = ["sum", "mean"] as const;
export type Normalisation = (typeof NORMALISATIONS)[number];

/** What a weight is for: it multiplies a sample's loss, or it is the chance that the sample is drawn. */
export const ROLES = ["multiplier", "probability"] as const;
export type Role = (typeof ROLES)[number];

/** What every option has: its value where nobody set it, and its meaning for the API and for the command line. */
interface OptionRule<V> {
  readonly default: V;
  /** As the API documents it, where default and bounds are added to numbers. */
  readonly meaning: string;
  /** Name of the value on the command line. */
  readonly placeholder: string;
  /** As the command line says it, where that is not the meaning. */
  readonly help?: string;
}

/** A finite number, at least `atLeast` or above `above`, which one of the two says. */
export interface NumberRule<V extends number | null = number | null> extends OptionRule<V> {
  readonly atLeast?: number;
  readonly above?: number;
  readonly atMost?: number;
  /** The largest that a request may name, where the formula itself takes more. */
  readonly requestAtMost?: number;
}

/** One of several words. */
export interface ChoiceRule<V extends string = string> extends OptionRule<V> {
  readonly choices: readonly V[];
}

const role: ChoiceRule<Role> = {
  default: "multiplier",
  choices: ROLES,
  meaning:
    "`multiplier` (default): multiply losses by the weight. `probability`: draw with it; each sample also gets 1/(N p).",
  placeholder: "role",
  help: "what a weight is for: to multiply a loss, or to draw with",
};

const normalise: ChoiceRule<Normalisation> = {
  default: "sum",
  choices: NORMALISATIONS,
  meaning: "`sum` (default): for `.sum()` of weighted losses. `mean`: weights of mean 1, for `.mean()`.",
  placeholder: "how",
  help: "weights that sum to 1 (default), or whose mean is 1",
};

const clip: NumberRule = {
  default: null,
  atLeast: 1,
  meaning: "Cap on weight / mean weight, which holds after normalising",
  placeholder: "number",
  help: "cap on weight / mean weight, at least 1",
};

/** The options that are numbers: every place that reads, documents or checks them takes them from here. */
export const NUMBER_OPTIONS = {
  /** Exponent of `proportional`. */
  alpha: number({ default: 1, atLeast: 0, requestAtMost: 100, meaning: "Of `proportional`" }),
  /** In the unit of the scores. */
  temperature: number({ default: 1, above: 0, meaning: "Of `softmax`" }),
  /** Added to each score by `inverse`, the least divisor of `unit_gradient`; in the unit of the scores. */
  epsilon: number({ default: 0.1, above: 0, meaning: "Of `inverse` and `unit_gradient`" }),
  /** In the unit of the scores. */
  lambda: number({ default: 1, atLeast: 0, meaning: "Of `unit_gradient`" }),
  /** λ: w ← (1 − λ)w + λ/N, before the clip. */
  smoothing: number({
    default: 0,
    atLeast: 0,
    atMost: 1,
    meaning: "Share of uniform weights mixed in",
    placeholder: "share",
    help: "share of uniform weights mixed in, 0 to 1",
  }),
  /** Cap on w / mean w, at least 1, because weights cannot all lie below their mean; null for none. */
  clip,
};

/** The options that are one of several words. */
export const CHOICE_OPTIONS = {
  role,
  /** `sum` with role `probability`. */
  normalise,
};

const OPTIONS = { ...CHOICE_OPTIONS, ...NUMBER_OPTIONS };

/** The value of every option but the scheme. */
export type OptionValues = Defaults<typeof OPTIONS>;

/** How scores become weights, every option with its value. */
export interface WeighOptions extends OptionValues {
  readonly scheme: SchemeName;
}

/** What an option is that nobody set. */
export const WEIGH_DEFAULTS: OptionValues = defaultsOf(OPTIONS);

/** @throws RangeError where an option lies outside its range */
export function checkOptions(options: WeighOptions): void {
  for (const name of namesOf(NUMBER_OPTIONS)) {
    const value = options[name];
    const range = value === null ? null : rangeMissed(value, NUMBER_OPTIONS[name]);
    if (range !== null) throw new RangeError(`${name} ${value} is not ${range}`);
  }
  if (options.role === "probability" && options.normalise === "mean") {
    throw new RangeError("draw probabilities sum to 1: role probability takes no mean-1 weights");
  }
}

/** The names of a table's entries, in its order. */
export function namesOf<T extends object>(table: T): Extract<keyof T, string>[] {
  const names: Extract<keyof T, string>[] = [];
  for (const name in table) names.push(name);
  return names;
}

/** The bound that the value misses, in words; null where it lies within all. */
function rangeMissed(value: number, { atLeast, above, atMost }: NumberRule): string | null {
  if (!Number.isFinite(value)) return "finite";
  if (atLeast !== undefined && value < atLeast) return `at least ${atLeast}`;
  if (above !== undefined && value <= above) return `above ${above}`;
  return atMost !== undefined && value > atMost ? `at most ${atMost}` : null;
}

type Defaults<T extends Readonly<Record<string, OptionRule<unknown>>>> = {
  readonly [Name in keyof T]: T[Name]["default"];
};

function defaultsOf<T extends Readonly<Record<string, OptionRule<unknown>>>>(rules: T): Defaults<T>;
function defaultsOf(rules: Readonly<Record<string, OptionRule<unknown>>>): object {
  return Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, rule.default]));
}

/** A number that is never null. */
function number(
  rule: Omit<NumberRule<number>, "placeholder"> & { readonly placeholder?: string },
): NumberRule<number> {
  return { placeholder: "number", ...rule };
}
