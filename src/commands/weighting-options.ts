import { type Command, Option } from "commander";
import { AssayError } from "../errors.js";
import { BATCH_SIGNALS, SCHEMES, type SchemeName, SIGNALS, type SignalName } from "../importance/types.js";
import {
  CHOICE_OPTIONS,
  type ChoiceRule,
  FLAG_OPTIONS,
  NAME_OPTIONS,
  NUMBER_OPTIONS,
  type NumberRule,
  namesOf,
  type OptionValues,
} from "../importance/weigh-options.js";
import { checkSchema } from "../scoring/requests/schema-faults.js";
import { DEFAULT_WEIGHTING, type WeightingRequest, weighOptions } from "../scoring/requests/weighting.js";
import { weightingSchema } from "../scoring/requests/weighting-schema.js";
import { inWordsOfOptions, optionOf } from "./option-faults.js";
import { decimal } from "./option-values.js";

/** A weighting as it is given on the command line. It reads one signal; only HTTP takes a mix. `base` and `balance` weigh datasets. */
export interface WeightingOptions extends Partial<OptionValues> {
  readonly scheme?: SchemeName;
  readonly weighBy?: SignalName;
}

/**
 * Adds the fields of a weighting as options of `command`. A dataset can also have a base and balanced classes.
 *
 * @param of what is weighed
 */
export function addWeightingOptions(command: Command, of: "file" | "dataset"): Command {
  command
    .addOption(
      new Option(
        "--scheme <name>",
        of === "file"
          ? `weigh the whole file with this scheme (default: ${DEFAULT_WEIGHTING.scheme} if another weighting option is given, otherwise no weights)`
          : `how weights are made from the signal (default: ${DEFAULT_WEIGHTING.scheme})`,
      ).choices(SCHEMES),
    )
    .addOption(
      new Option(
        "--weigh-by <signal>",
        `signal that the scheme reads${of === "file" ? ", computed even if --signals does not name it" : ""} (default: ${DEFAULT_WEIGHTING.signal}; grad_norm for unit_gradient)`,
      ).choices(of === "file" ? BATCH_SIGNALS : SIGNALS),
    );
  for (const name of namesOf(CHOICE_OPTIONS))
    command.addOption(optionFor(name, CHOICE_OPTIONS[name]).choices(CHOICE_OPTIONS[name].choices));
  for (const name of namesOf(NUMBER_OPTIONS))
    command.addOption(optionFor(name, NUMBER_OPTIONS[name]).argParser(decimal));
  if (of === "dataset") {
    for (const name of namesOf(NAME_OPTIONS))
      command.option(`--${name} <name>`, inWordsOfTerminal(NAME_OPTIONS[name].meaning));
    for (const name of namesOf(FLAG_OPTIONS))
      command.option(`--${name}`, inWordsOfTerminal(FLAG_OPTIONS[name].meaning));
  }
  return command;
}

/** The option of one entry of the table. */
export function optionFor(name: string, { placeholder, meaning, help }: NumberRule | ChoiceRule): Option {
  return new Option(`--${name} <${placeholder}>`, help ?? inWordsOfTerminal(meaning));
}

/** A meaning without Markdown's backticks, and with a small first letter like the help texts of the other options. */
function inWordsOfTerminal(meaning: string): string {
  return `${meaning.charAt(0).toLowerCase()}${meaning.slice(1).replaceAll("`", "")}`;
}

/**
 * The weighting that the options ask for; null if none of them is given. Throws `input_invalid` if a number is outside its range,
 * and `unsuitable_weighting` if options contradict each other.
 */
export function weightingOf(options: WeightingOptions): WeightingRequest | null {
  const { weighBy: signal, scheme } = options;
  const names = [
    ...namesOf(CHOICE_OPTIONS),
    ...namesOf(NUMBER_OPTIONS),
    ...namesOf(NAME_OPTIONS),
    ...namesOf(FLAG_OPTIONS),
  ];
  const named = names.map((name) => [name, options[name]]);
  const given = [["scheme", scheme], ["signal", signal], ...named].filter(([, value]) => value !== undefined);
  if (given.length === 0) return null;
  const { faults, value: weighting } = checkSchema(weightingSchema, Object.fromEntries(given));
  if (faults !== undefined) {
    const said = faults.map(({ path, message }) => `${optionOf(`/weighting${path}`)} ${message}`);
    throw new AssayError("input_invalid", { detail: said.join("; ") });
  }
  try {
    weighOptions(weighting);
  } catch (error) {
    throw inWordsOfOptions(error);
  }
  return weighting;
}
