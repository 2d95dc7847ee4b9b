import { describe, expect, it } from "vitest";
import {
  bySuspicion,
  doubtsOf,
  estimateNoise,
  type LabelledScores,
} from "../../../src/importance/noise/estimate-noise.js";
import { randomOf } from "../../../src/importance/selection/random.js";
import { readOracle } from "../../support/oracle.js";

interface NoiseCase {
  readonly probabilities: readonly number[];
  readonly labels: readonly number[];
  readonly groups: readonly number[];
  readonly expected: {
    readonly method: string;
    readonly fault: string | null;
    readonly rates: readonly { rate: number; low: number; high: number; anchors: number }[] | null;
    readonly wrong: number | null;
    readonly noise: readonly number[];
  };
}

const { cases } = readOracle<{ cases: readonly NoiseCase[] }>("noise");

describe("against scikit-learn and numpy", () => {
  it.each(cases.map((one, index) => ({ one, index })))("case $index has the same noise", ({ one }) => {
    const { expected } = one;
    const found = estimateNoise(scoresOf(one), 0);
    expect(found.method).toBe(expected.method);
    expect(found.fault).toBe(expected.fault);
    expect(found.rates?.map(({ trueLabel: _, ...rate }) => rate) ?? null).toEqual(
      expected.rates?.map(({ rate, low, high, anchors }) => ({
        rate: expect.closeTo(rate, 12),
        low: expect.closeTo(low, 12),
        high: expect.closeTo(high, 12),
        anchors,
      })) ?? null,
    );
    if (expected.wrong === null) expect(found.wrong).toBeNull();
    else expect(found.wrong?.count).toBeCloseTo(expected.wrong, 9);
    for (const [row, noise] of expected.noise.entries()) expect(found.noise[row]).toBeCloseTo(noise, 10);
  });

  it("covers each way to rank", () => {
    const ways = cases.map(({ expected }) => expected.fault ?? expected.method);
    expect(new Set(ways)).toEqual(new Set(["rates", "few", "overlap", "large"]));
  });
});

it("suspects the labels that are wrong more often earlier than the loss does", () => {
  const { scores, isWrong } = flipped({ samples: 4000, ones: 0.15, e0: 0.02, e1: 0.3 });
  const { noise, method } = estimateNoise(scores, 0);
  expect(method).toBe("rates");
  const doubts = doubtsOf(scores);
  const found = (values: Float64Array): number => {
    const first = bySuspicion(values, doubts).subarray(0, 250);
    return first.filter((row) => isWrong[row] === 1).length / first.length;
  };
  expect(found(noise)).toBeGreaterThan(found(doubts) + 0.1);
});

it("gives chances that claim no more wrong labels than there are, and not far fewer", () => {
  const { scores, isWrong } = flipped({ samples: 20_000, ones: 0.3, e0: 0.02, e1: 0.3 });
  const { noise } = estimateNoise(scores, 0);
  for (const [low, high] of [
    [0.05, 0.3],
    [0.3, 0.7],
    [0.7, 1],
  ] as const) {
    const rows = [...noise.keys()].filter((row) => low <= (noise[row] ?? 0) && (noise[row] ?? 0) <= high);
    const claimed = rows.reduce((total, row) => total + (noise[row] ?? 0), 0);
    const wrong = rows.reduce((total, row) => total + (isWrong[row] ?? 0), 0);
    expect(claimed).toBeLessThan(1.05 * wrong);
    expect(claimed).toBeGreaterThan(0.5 * wrong);
  }
});

it("has the number of wrong labels in nearly all of its intervals", () => {
  let covered = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { scores, isWrong } = flipped({ samples: 3000, ones: 0.3, e0: 0.05, e1: 0.1, seed });
    const { wrong } = estimateNoise(scores, 0);
    const truth = isWrong.reduce((total, each) => total + each);
    if (wrong !== null && wrong.low <= truth && truth <= wrong.high) covered++;
  }
  expect(covered).toBeGreaterThanOrEqual(17);
});

it("widens the interval where the samples of a group are alike", () => {
  const { scores } = flipped({ samples: 3000, ones: 0.3, e0: 0.05, e1: 0.1 });
  const width = ({ groups }: Pick<LabelledScores, "groups">): number => {
    const { wrong } = estimateNoise({ ...scores, groups }, 0);
    return (wrong?.high ?? 0) - (wrong?.low ?? 0);
  };
  const alone = width(scores);
  // Groups of samples that are wrong together.
  const { noise } = estimateNoise(scores, 0);
  const together = bySuspicion(noise, doubtsOf(scores));
  const groups = new Uint32Array(together.length);
  for (const [place, row] of together.entries()) groups[row] = Math.floor(place / 100);
  expect(width({ groups })).toBeGreaterThan(2 * alone);
});

it("ranks equal noise by doubt", () => {
  const noise = Float64Array.of(0.5, 0.5, 0.9);
  expect([...bySuspicion(noise, Float64Array.of(0.1, 0.2, 0))]).toEqual([2, 1, 0]);
});

function scoresOf({ probabilities, labels, groups }: NoiseCase): LabelledScores {
  return {
    probabilities: Float64Array.from(probabilities),
    labels: Uint8Array.from(labels),
    groups: Uint32Array.from(groups),
  };
}

interface Flips {
  readonly samples: number;
  readonly ones: number;
  readonly e0: number;
  readonly e1: number;
  readonly seed?: number;
}

/** Samples of two overlapping classes with labels that were flipped at two rates. */
function flipped({ samples, ones, e0, e1, seed = 0 }: Flips): {
  scores: LabelledScores;
  isWrong: Uint8Array;
} {
  const random = randomOf(seed, "flips");
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
  const isWrong = new Uint8Array(samples);
  const labels = new Uint8Array(samples);
  const probabilities = Float64Array.from({ length: samples }, (_, row) => {
    const truth = random.uniform() < ones ? 1 : 0;
    isWrong[row] = random.uniform() < (truth === 1 ? e1 : e0) ? 1 : 0;
    labels[row] = isWrong[row] === 1 ? 1 - truth : truth;
    const x = normal() + (truth === 1 ? 1.5 : -1.5);
    const p = 1 / (1 + Math.exp(-(3 * x + Math.log(ones / (1 - ones)))));
    return (1 - e1) * p + e0 * (1 - p); // a model of the labels as they are observed
  });
  return { scores: { probabilities, labels, groups: Uint32Array.from(labels.keys()) }, isWrong };
}
