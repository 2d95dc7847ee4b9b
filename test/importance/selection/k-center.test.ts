import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withoutOutliers } from "../../../src/importance/selection/outliers.js";
import { gathered, meanOf, projected } from "../../../src/importance/selection/projection.js";
import { randomOf } from "../../../src/importance/selection/random.js";
import { select } from "../../../src/importance/selection/select.js";
import { completed } from "../../../src/importance/selection/types.js";
import { columnsOf, embeddingsOf, requestOf, selected } from "./requests.js";

type Row = readonly number[];

function squared(a: Row, b: Row): number {
  return a.reduce((total, x, d) => total + (x - (b[d] as number)) ** 2, 0);
}

/** Farthest first by its definition: the largest worth² · min squared distance, and of equal ones the lowest index. */
function farthestFirst(
  rows: readonly Row[],
  worths: readonly number[],
  first: number,
  size: number,
): number[] {
  const chosen = [first];
  while (chosen.length < size) {
    let [best, most] = [-1, -1];
    for (const [index, row] of rows.entries()) {
      if (chosen.includes(index)) continue;
      const distance = Math.min(...chosen.map((other) => squared(row, rows[other] as Row)));
      const priority = distance * (worths[index] as number) ** 2;
      if (priority > most) [best, most] = [index, priority];
    }
    chosen.push(best);
  }
  return chosen;
}

function centersOf(
  rows: readonly Row[],
  size: number,
  given: Partial<Parameters<typeof requestOf>[1]> = {},
  scores = rows.map(() => 1),
) {
  const columns = columnsOf(scores, { embeddings: embeddingsOf(rows) });
  return selected(requestOf("k_center", { size, outliers: 0, ...given }), columns);
}

const rowsArbitrary = fc.integer({ min: 1, max: 11 }).chain((width) =>
  fc.array(fc.array(fc.integer({ min: -4, max: 4 }), { minLength: width, maxLength: width }), {
    minLength: 1,
    maxLength: 40,
  }),
);

describe("farthest first", () => {
  test("starts nearest to the mean and goes to the ends", () => {
    expect([...centersOf([[0], [1], [4], [6], [10]], 4).indices]).toEqual([2, 4, 0, 3]);
  });

  test("chooses as its definition does, ties and duplicates included", () => {
    fc.assert(
      fc.property(rowsArbitrary, fc.double({ min: 0, max: 1, noNaN: true }), (rows, part) => {
        const size = Math.max(1, Math.round(part * rows.length));
        const chosen = [...centersOf(rows, size).indices];
        expect(chosen).toEqual(
          farthestFirst(
            rows,
            rows.map(() => 1),
            chosen[0] as number,
            size,
          ),
        );
      }),
    );
  });

  test("with strength, chooses the largest score^strength · distance, the largest score first", () => {
    const scored = rowsArbitrary.chain((rows) =>
      fc.tuple(
        fc.constant(rows),
        fc.array(fc.constantFrom(0, 1, 2, 4), { minLength: rows.length, maxLength: rows.length }),
      ),
    );
    fc.assert(
      fc.property(scored, fc.constantFrom(1, 2), ([rows, scores], strength) => {
        const peak = Math.max(...scores);
        const worths = scores.map((score) => (peak === 0 ? 1 : (score / peak) ** strength));
        const size = Math.ceil(rows.length / 2);
        const chosen = [...centersOf(rows, size, { strength }, scores).indices];
        expect(worths[chosen[0] as number]).toBe(1);
        expect(chosen).toEqual(farthestFirst(rows, worths, chosen[0] as number, size));
      }),
    );
  });

  test("a smaller selection is the beginning of a larger one", () => {
    const random = randomOf("prefix");
    const rows = Array.from({ length: 300 }, () => [random.uniform(), random.uniform(), random.uniform()]);
    expect([...centersOf(rows, 20).indices]).toEqual([...centersOf(rows, 60).indices.slice(0, 20)]);
  });
});

describe("outliers", () => {
  const random = randomOf("outliers");
  const cluster = Array.from({ length: 198 }, () => [random.uniform(), random.uniform()]);
  const rows = [[50, 50], ...cluster, [-70, 3]];

  test("leave before the selection", () => {
    const all = centersOf(rows, 10);
    expect([...all.indices]).toEqual(expect.arrayContaining([0, 199]));
    expect(all.outliers).toBe(0);
    const without = centersOf(rows, 10, { outliers: 0.01 });
    expect(without.outliers).toBe(2);
    expect(without.indices.every((index) => index > 0 && index < 199)).toBe(true);
  });

  test("leave only as far as the size allows", () => {
    expect(centersOf(rows, 200, { outliers: 0.5 }).outliers).toBe(0);
    const { indices, outliers } = centersOf(rows, 199, { outliers: 0.5 });
    expect(outliers).toBe(1);
    expect([...indices]).not.toContain(199); // farther from all others than [50, 50]
  });

  test("are the points far from all others, not the members of a rare cluster", () => {
    const rare = Array.from({ length: 40 }, () => [9 + random.uniform(), random.uniform()]);
    const columns = embeddingsOf([...cluster, ...rare, [5, 40]]);
    const members = Uint32Array.from({ length: 239 }, (_, index) => index);
    const staying = completed(withoutOutliers(gathered(members, columns), 1, randomOf(3)));
    expect(staying).toHaveLength(238);
    expect([...staying]).not.toContain(238);
  });
});

describe("many samples", () => {
  const random = randomOf("clusters");
  const gaussian = () =>
    Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());

  test("the projection keeps squared distances within its deviation, and the mean away", () => {
    const width = 200;
    const values = Float32Array.from({ length: 300 * width }, () => 5 + gaussian());
    const members = Uint32Array.from({ length: 300 }, (_, index) => index);
    const embeddings = { values, width };
    const points = completed(projected(members, embeddings, meanOf(members, embeddings), randomOf(1)));
    const ratios = Array.from({ length: 150 }, (_, pair) => {
      const [a, b] = [2 * pair, 2 * pair + 1];
      const exact = squared(
        [...values.subarray(a * width, (a + 1) * width)],
        [...values.subarray(b * width, (b + 1) * width)],
      );
      const near = squared(
        [...points.values.subarray(32 * a, 32 * a + 32)],
        [...points.values.subarray(32 * b, 32 * b + 32)],
      );
      return near / exact;
    });
    const mean = ratios.reduce((a, b) => a + b) / ratios.length;
    const deviation = Math.sqrt(ratios.reduce((total, r) => total + (r - 1) ** 2, 0) / ratios.length);
    expect(Math.abs(mean - 1)).toBeLessThan(0.1);
    expect(deviation).toBeGreaterThan(0.15);
    expect(deviation).toBeLessThan(0.35); // √(2/32) = 0.25
    expect(Math.abs(points.values.reduce((a, b) => a + b) / points.values.length)).toBeLessThan(0.01);
  });

  test("one sample of each planted cluster is selected in the projection, with progress and the same answer twice", () => {
    const [clusters, each, width] = [1500, 2, 960];
    const centers = Array.from({ length: clusters }, () =>
      Float32Array.from({ length: width }, () => gaussian()),
    );
    const values = new Float32Array(clusters * each * width);
    for (let index = 0; index < clusters * each; index += 1) {
      const center = centers[index % clusters] as Float32Array;
      values.set(
        center.map((x) => x + 0.01 * (random.uniform() - 0.5)),
        index * width,
      );
    }
    const request = requestOf("k_center", { size: clusters, outliers: 0 });
    const columns = columnsOf(new Array<number>(clusters * each).fill(1), { embeddings: { values, width } });
    expect(clusters * clusters * each * width).toBeGreaterThan(2 ** 32);
    const steps = select(request, columns);
    const fractions: number[] = [];
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) fractions.push(step.value);
    const { indices } = step.value;
    expect(new Set([...indices].map((index) => index % clusters)).size).toBe(clusters);
    expect(fractions.length).toBeGreaterThan(1);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.every((fraction) => fraction >= 0 && fraction <= 1)).toBe(true);
    expect(selected(request, columns).indices).toEqual(indices);
  });
});
