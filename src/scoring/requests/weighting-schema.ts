import { z } from "zod";
import { SCHEMES } from "../../importance/schemes.js";
import { SIGNALS } from "../../importance/types.js";
import {
  CHOICE_OPTIONS,
  type ChoiceRule,
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
  .describe("In place of signal: several signals, whose ranks are averaged by their shares");

/** A weighting as it is posted or named on the command line; it comes out with its signal or its mix. */
export const weightingSchema = z
  .strictObject({
    signal: z
      .enum(SIGNALS)
      .optional()
      .describe(
        `What the scheme reads; where neither signal nor mix is named \`grad_norm\` for \`unit_gradient\` and \`${DEFAULT_WEIGHTING.signal}\` for the others`,
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
  .meta({ id: "Weighting", description: "How a signal, or a mix of several, becomes weights" })
  .transform(byNamedSignals);

type OptionFields = {
  readonly [Name in keyof OptionValues]: z.ZodExactOptional<z.ZodType<OptionValues[Name]>>;
};

/** The fields of the table of options. */
function optionFields(): OptionFields;
function optionFields(): object {
  return Object.fromEntries([
    ...namesOf(CHOICE_OPTIONS).map((name) => [name, choiceField(CHOICE_OPTIONS[name])]),
    ...namesOf(NUMBER_OPTIONS).map((name) => [name, numberField(NUMBER_OPTIONS[name])]),
  ]);
}

function choiceField({ choices, meaning }: ChoiceRule): z.ZodType {
  return z.enum(choices).exactOptional().describe(meaning);
}

function numberField({ atLeast, above, meaning, ...rule }: NumberRule): z.ZodType {
  const atMost = rule.requestAtMost ?? rule.atMost;
  let range = z.number();
  if (atLeast !== undefined) range = range.min(atLeast);
  if (above !== undefined) range = range.gt(above);
  if (atMost !== undefined) range = range.max(atMost);
  return rule.default === null
    ? range.nullable().exactOptional().describe(meaning)
    : range.exactOptional().describe(`${meaning}; default ${rule.default}`);
}
