import type { SchemeName } from "./types.js";

/** Longest name of a sample's extra. */
export const EXTRA_NAME_CHARS_MAX = 64;

/** `sum`: weights in [0, 1] that sum to 1. `mean`: weights whose mean is 1. */
export const NORMALISATIONS = ["sum", "mean"] as const;
export type Normalisation = (typeof NORMALISATIONS)[number];

/** What a weight is for: it multiplies a sample's loss, or it is the sample's draw probability. */
export const ROLES = ["multiplier", "probability"] as const;
export type Role = (typeof ROLES)[number];

/** What every option has: its default value, and its meaning for the API. */
interface ApiRule<V> {
  readonly default: V;
  /** The description in the API. For numbers, default and bounds are added to it. */
  readonly meaning: string;
}

/** An option that the command line has too. */
interface OptionRule<V> extends ApiRule<V> {
  /** Name of the value on the command line. */
  readonly placeholder: string;
  /** The description on the command line, if it differs from `meaning`. */
  readonly help?: string;
}

/** A finite number, whole if `whole` is set. One of `atLeast` and `above` gives its lower bound. */
export interface NumberRule<V extends number | null = number | null> extends OptionRule<V> {
  readonly atLeast?: number;
  readonly above?: number;
  readonly atMost?: number;
  readonly whole?: true;
  /** The largest value in a request, if it is lower than the largest that the formula takes. */
  readonly requestAtMost?: number;
}

/** One of several words. */
export interface ChoiceRule<V extends string = string> extends OptionRule<V> {
  readonly choices: readonly V[];
}

/** A name that the user chooses. It has no default. */
export interface NameRule extends ApiRule<string | null> {
  readonly charsMax: number;
}

/** On or off. */
export type FlagRule = ApiRule<boolean>;

const role: ChoiceRule<Role> = {
  default: "multiplier",
  choices: ROLES,
  meaning:
    "`multiplier` (default): multiply losses by the weights. `probability`: draw samples with them as probabilities p; each sample also gets its multiplier 1/(N p).",
  placeholder: "role",
  help: "what the weights are for: to multiply losses, or to draw samples",
};

const normalise: ChoiceRule<Normalisation> = {
  default: "sum",
  choices: NORMALISATIONS,
  meaning:
    "`sum` (default): weights that sum to 1, for `.sum()` of the weighted losses. `mean`: weights whose mean is 1, for `.mean()`.",
  placeholder: "how",
  help: "weights that sum to 1 (default), or whose mean is 1",
};

const clip: NumberRule = {
  default: null,
  atLeast: 1,
  meaning: "Cap on weight / mean weight. It also holds after normalising. Null or absent: no cap.",
  placeholder: "number",
  help: "cap on weight / mean weight, at least 1",
};

/** The options that are numbers. All code that reads, documents or checks them uses this table. */
export const NUMBER_OPTIONS = {
  /** Exponent of `proportional`. */
  alpha: number({ default: 1, atLeast: 0, requestAtMost: 100, meaning: "Exponent of `proportional`" }),
  /** In the unit of the scores. */
  temperature: number({ default: 1, above: 0, meaning: "Temperature of `softmax`" }),
  /** `inverse` adds it to each score; for `unit_gradient` it is the smallest divisor. In the unit of the scores. */
  epsilon: number({
    default: 0.1,
    above: 0,
    meaning: "Added to each score by `inverse`; smallest divisor of `unit_gradient`",
  }),
  /** In the unit of the scores. */
  lambda: number({ default: 1, atLeast: 0, meaning: "Factor of the unit gradient in `unit_gradient`" }),
  /** λ: w ← (1 − λ)w + λ/N, before the clip. */
  smoothing: number({
    default: 0,
    atLeast: 0,
    atMost: 1,
    meaning: "Share of uniform weights to mix in",
    placeholder: "share",
    help: "share of uniform weights to mix in, 0 to 1",
  }),
  /** Cap on w / mean w. It is at least 1, because weights cannot all be below their mean. Null: no cap. */
  clip,
};

/** The options that are one of several words. */
export const CHOICE_OPTIONS = {
  role,
  /** Always `sum` with role `probability`. */
  normalise,
};

const base: NameRule = {
  default: null,
  charsMax: EXTRA_NAME_CHARS_MAX,
  meaning:
    "Name of a sample's extra, such as `impressions`: a number of at least 0 that multiplies the scheme's weight. Every sample needs it.",
};

const balance: FlagRule = {
  default: false,
  meaning:
    "Whether to multiply by the inverse frequency of the sample's class, which needs a hard label of every sample",
};

/** The options that multiply the scheme's weight by something else of the sample. Only the API has them. */
export const NAME_OPTIONS = { base };
export const FLAG_OPTIONS = { balance };

const OPTIONS = { ...CHOICE_OPTIONS, ...NUMBER_OPTIONS, ...NAME_OPTIONS, ...FLAG_OPTIONS };

/** The values of all options except the scheme. */
export type OptionValues = Defaults<typeof OPTIONS>;

/** How weights are made from scores: the scheme and the value of every option. */
export interface WeighOptions extends OptionValues {
  readonly scheme: SchemeName;
}

/** The values of options that are not set. */
export const WEIGH_DEFAULTS: OptionValues = defaultsOf(OPTIONS);

/** @throws RangeError if an option is outside its range */
export function checkOptions(options: WeighOptions): void {
  for (const name of namesOf(NUMBER_OPTIONS)) {
    const value = options[name];
    const range = value === null ? null : rangeMissed(value, NUMBER_OPTIONS[name]);
    if (range !== null) throw new RangeError(`${name} ${value} is not ${range}`);
  }
  if (options.role === "probability" && options.normalise === "mean") {
    throw new RangeError("normalise must be sum with role probability, because draw probabilities sum to 1");
  }
}

/** The names of a table's entries, in the order of the table. */
export function namesOf<T extends object>(table: T): Extract<keyof T, string>[] {
  const names: Extract<keyof T, string>[] = [];
  for (const name in table) names.push(name);
  return names;
}

/** The bound that the value violates, in words; null if it violates none. */
export function rangeMissed(value: number, { atLeast, above, atMost, whole }: NumberRule): string | null {
  if (!Number.isFinite(value)) return "finite";
  if (whole === true && !Number.isInteger(value)) return "a whole number";
  if (atLeast !== undefined && value < atLeast) return `at least ${atLeast}`;
  if (above !== undefined && value <= above) return `above ${above}`;
  return atMost !== undefined && value > atMost ? `at most ${atMost}` : null;
}

type Defaults<T extends Readonly<Record<string, ApiRule<unknown>>>> = {
  readonly [Name in keyof T]: T[Name]["default"];
};

function defaultsOf<T extends Readonly<Record<string, ApiRule<unknown>>>>(rules: T): Defaults<T>;
function defaultsOf(rules: Readonly<Record<string, ApiRule<unknown>>>): object {
  return Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, rule.default]));
}

/** A number that is never null. */
function number(
  rule: Omit<NumberRule<number>, "placeholder"> & { readonly placeholder?: string },
): NumberRule<number> {
  return { placeholder: "number", ...rule };
}
