import { z } from "zod";
import { SCHEMES, SIGNALS } from "../../importance/types.js";
import {
  CHOICE_OPTIONS,
  type ChoiceRule,
  FLAG_OPTIONS,
  type FlagRule,
  NAME_OPTIONS,
  type NameRule,
  NUMBER_OPTIONS,
  type NumberRule,
  namesOf,
  type OptionValues,
} from "../../importance/weigh-options.js";
import { byNamedSignals, DEFAULT_WEIGHTING } from "./weighting.js";

const mixSchema = z
  .array(z.strictObject({ signal: z.enum(SIGNALS), share: z.number().positive() }))
  .min(1)
  .max(SIGNALS.length)
  .describe("Several signals in place of `signal`. Their ranks are averaged, weighted by their shares.");

/** A weighting as it is posted or given on the command line. The parsed value always has a signal or a mix. */
export const weightingSchema = z
  .strictObject({
    signal: z
      .enum(SIGNALS)
      .optional()
      .describe(
        `The signal that the scheme reads. Default without \`mix\`: \`grad_norm\` for \`unit_gradient\`, \`${DEFAULT_WEIGHTING.signal}\` for the other schemes.`,
      ),
    mix: mixSchema.optional(),
    scheme: z
      .enum(SCHEMES)
      .default(DEFAULT_WEIGHTING.scheme)
      .describe(
        "`proportional` ∝ s^alpha, `softmax` ∝ e^(s/temperature), `rank`, `inverse` ∝ 1/(s+epsilon), `uniform`, `unit_gradient` ∝ 1 + lambda/max(s, epsilon) of `grad_norm`",
      ),
    ...optionFields(),
  })
  .check(({ value, issues }) => {
    if (value.signal !== undefined && value.mix !== undefined)
      issues.push({ code: "custom", message: "takes a signal or a mix, not both", input: value });
  })
  .meta({ id: "Weighting", description: "How weights are made from a signal, or from a mix of several" })
  .transform(byNamedSignals);

type OptionFields = {
  readonly [Name in keyof OptionValues]: z.ZodExactOptional<z.ZodType<OptionValues[Name]>>;
};

/** One field for each option in the tables of options. */
function optionFields(): OptionFields;
function optionFields(): object {
  return Object.fromEntries([
    ...namesOf(CHOICE_OPTIONS).map((name) => [name, choiceField(CHOICE_OPTIONS[name])]),
    ...namesOf(NUMBER_OPTIONS).map((name) => [name, numberField(NUMBER_OPTIONS[name])]),
    ...namesOf(NAME_OPTIONS).map((name) => [name, nameField(NAME_OPTIONS[name])]),
    ...namesOf(FLAG_OPTIONS).map((name) => [name, flagField(FLAG_OPTIONS[name])]),
  ]);
}

function choiceField({ choices, meaning }: ChoiceRule): z.ZodType {
  return z.enum(choices).exactOptional().describe(meaning);
}

function nameField({ charsMax, meaning }: NameRule): z.ZodType {
  return z.string().min(1).max(charsMax).nullable().exactOptional().describe(meaning);
}

function flagField({ meaning, ...rule }: FlagRule): z.ZodType {
  return z.boolean().exactOptional().describe(`${meaning}; default ${rule.default}`);
}

/** The field of a number with a table's rule. */
export function numberField({ atLeast, above, meaning, ...rule }: NumberRule): z.ZodType {
  const atMost = rule.requestAtMost ?? rule.atMost;
  let range: z.ZodNumber = rule.whole === true ? z.int() : z.number();
  if (atLeast !== undefined) range = range.min(atLeast);
  if (above !== undefined) range = range.gt(above);
  if (atMost !== undefined) range = range.max(atMost);
  return rule.default === null
    ? range.nullable().exactOptional().describe(meaning)
    : range.exactOptional().describe(`${meaning}; default ${rule.default}`);
}
