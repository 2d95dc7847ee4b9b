import { type Fault, throwFaults } from "../../errors.js";
import type { SampleFactors } from "../../importance/factors.js";
import { isHard } from "../../importance/labels.js";
import type { WeighOptions } from "../../importance/weigh-options.js";
import { extraOf, type Sample } from "./sample.js";
import type { WeightingRequest } from "./weighting.js";

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

/** Throws `unsuitable_weighting` if the weighting reads a factor. A dataset does not keep what it needs. */
export function refuseFactors({ base, balance }: Pick<WeightingRequest, "base" | "balance">): void {
  const asked = [
    ["base", typeof base === "string"],
    ["balance", balance === true],
  ] as const;
  const message = "is read of posted samples only (POST /v1/score): leave it out to weigh a dataset";
  throwFaults(
    "unsuitable_weighting",
    asked.flatMap(([name, isAsked]): Fault[] => (isAsked ? [{ path: `/weighting/${name}`, message }] : [])),
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
    faults.push({ sample: index, path: `/extras/${name}`, message });
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
