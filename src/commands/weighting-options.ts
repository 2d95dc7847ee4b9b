import { type Command, Option } from "commander";
import { AssayError } from "../errors.js";
import { SCHEME_RULES, SCHEMES, type SchemeName } from "../importance/schemes.js";
import { SIGNALS, type SignalName } from "../importance/types.js";
import { NORMALISATIONS, type Normalisation, ROLES, type Role } from "../importance/weigh-options.js";
import { checkSchema } from "../scoring/requests/schema-faults.js";
import { DEFAULT_WEIGHTING, type WeightingRequest, weighOptions } from "../scoring/requests/weighting.js";
import { weightingSchema } from "../scoring/requests/weighting-schema.js";
import { inWordsOfOptions, optionOf } from "./option-faults.js";
import { decimal } from "./option-values.js";

/** A weighting as it is given on the command line: by one signal; a mix goes over HTTP. */
export interface WeightingOptions {
  readonly scheme?: SchemeName;
  readonly weighBy?: SignalName;
  readonly role?: Role;
  readonly normalise?: Normalisation;
  readonly alpha?: number;
  readonly temperature?: number;
  readonly epsilon?: number;
  readonly lambda?: number;
  readonly smoothing?: number;
  readonly clip?: number;
}

/** Adds the fields of a weighting as options of `command`. */
export function addWeightingOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--scheme <name>",
        `weigh the whole file; ${DEFAULT_WEIGHTING.scheme} where another option asks for weights, without any rows have none`,
      ).choices(SCHEMES),
    )
    .addOption(
      new Option(
        "--weigh-by <signal>",
        `signal that the scheme reads, computed too where --signals does not name it; ${DEFAULT_WEIGHTING.signal} where absent`,
      ).choices(SIGNALS),
    )
    .addOption(
      new Option("--role <role>", "what a weight is for: to multiply a loss, or to draw with").choices(ROLES),
    )
    .addOption(
      new Option("--normalise <how>", "weights that sum to 1 (default), or whose mean is 1").choices(
        NORMALISATIONS,
      ),
    )
    .option("--alpha <number>", "of proportional", decimal)
    .option("--temperature <number>", "of softmax", decimal)
    .option("--epsilon <number>", "of inverse and unit_gradient", decimal)
    .option("--lambda <number>", "of unit_gradient", decimal)
    .option("--smoothing <share>", "share of uniform weights mixed in, 0 to 1", decimal)
    .option("--clip <number>", "cap on weight / mean weight, at least 1", decimal);
}

/**
 * The weighting that the options ask for; null where none of them is given. Throws `input_invalid` for a number out of its
 * range, and `unsuitable_weighting` where they contradict each other.
 */
export function weightingOf(options: WeightingOptions): WeightingRequest | null {
  const { scheme, weighBy, role, normalise, alpha, temperature, epsilon, lambda, smoothing, clip } = options;
  const given = { role, normalise, alpha, temperature, epsilon, lambda, smoothing, clip };
  if ([scheme, weighBy, ...Object.values(given)].every((value) => value === undefined)) return null;
  const chosen = scheme ?? DEFAULT_WEIGHTING.scheme;
  const signal = weighBy ?? SCHEME_RULES[chosen].signal ?? DEFAULT_WEIGHTING.signal;
  const { faults, value: weighting } = checkSchema(weightingSchema, { ...given, scheme: chosen, signal });
  if (faults !== undefined) {
    const said = faults.map(({ path, message }) => `${optionOf(`/weighting${path}`)} ${message}`);
    throw new AssayError("input_invalid", { detail: said.join("; ") });
  }
  try {
    weighOptions(weighting);
  } catch (error) {
    throw error instanceof AssayError ? inWordsOfOptions(error) : error;
  }
  return weighting;
}
