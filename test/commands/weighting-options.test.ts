import { Command } from "commander";
import { describe, expect, it } from "vitest";
import {
  addWeightingOptions,
  type WeightingOptions,
  weightingOf,
} from "../../src/commands/weighting-options.js";
import type { WeightingRequest } from "../../src/scoring/requests/weighting.js";

function weightingOfArguments(...given: string[]): WeightingRequest | null {
  const command = addWeightingOptions(
    new Command().exitOverride().configureOutput({ writeErr: () => {} }),
    "file",
  );
  return weightingOf(command.parse(given, { from: "user" }).opts<WeightingOptions>());
}

describe("the options of a weighting", () => {
  it("are none where none is given", () => {
    expect(weightingOfArguments()).toBeNull();
  });

  it.each([
    ["--weigh-by grad_norm", { signal: "grad_norm", scheme: "proportional" }],
    ["--scheme rank", { signal: "grad_norm_last", scheme: "rank" }],
    ["--scheme unit_gradient --lambda 0", { signal: "grad_norm", scheme: "unit_gradient", lambda: 0 }],
    ["--normalise mean", { signal: "grad_norm_last", scheme: "proportional", normalise: "mean" }],
    ["--smoothing 1 --clip 1", { signal: "grad_norm_last", scheme: "proportional", smoothing: 1, clip: 1 }],
    [
      "--weigh-by margin --scheme softmax --temperature 0.5 --role probability",
      { signal: "margin", scheme: "softmax", temperature: 0.5, role: "probability" },
    ],
    [
      "--weigh-by loss --scheme inverse --epsilon 1e-3",
      { signal: "loss", scheme: "inverse", epsilon: 0.001 },
    ],
    [
      "--weigh-by loss --alpha 0.5 --role multiplier",
      { signal: "loss", scheme: "proportional", alpha: 0.5, role: "multiplier" },
    ],
  ])("%s", (given, weighting) => {
    expect(weightingOfArguments(...given.split(" "))).toEqual(weighting);
  });

  it.each([
    ["--alpha 101", /^--alpha must be at most 100$/],
    ["--alpha 0 --smoothing 2 --clip 0", /^--smoothing must be at most 1; --clip must be at least 1$/],
    ["--alpha much", /'much' is invalid. It must be a number/],
    ["--clip Infinity", /must be a number/],
    ["--weigh-by margin", /^--scheme proportional takes only signals that are never negative/],
    ["--scheme unit_gradient --weigh-by loss", /^--weigh-by must be the signal grad_norm/],
    ["--scheme rank --temperature 2", /^--temperature is not read by the scheme rank/],
    ["--role probability --normalise mean", /^--normalise must be sum/],
  ])("refuses %s in its own words", (given, message) => {
    expect(() => weightingOfArguments(...given.split(" "))).toThrow(message);
  });
});
