import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { centredCosine } from "../../../src/importance/selection/cosine.js";
import { lazyGreedy } from "../../../src/importance/selection/facility-location.js";
import { type NeighbourGraph, neighbourGraph } from "../../../src/importance/selection/neighbours.js";
import { meanOf } from "../../../src/importance/selection/projection.js";
import { randomOf } from "../../../src/importance/selection/random.js";
import { select } from "../../../src/importance/selection/select.js";
import { completed, type Embeddings } from "../../../src/importance/selection/types.js";
import { columnsOf, embeddingsOf, requestOf, selected } from "./requests.js";

const random = randomOf("facility");
const gaussian = () =>
  Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());

/** Clusters of unequal size, with structure inside of them, around a mean that is far from 0. */
function clustered(count: number, width: number): Embeddings {
  const centers = Array.from({ length: 40 }, () => Float64Array.from({ length: width }, gaussian));
  const directions = Array.from({ length: 6 }, () =>
    Float64Array.from({ length: width }, () => gaussian() / 2),
  );
  const values = new Float32Array(count * width);
  for (let index = 0; index < count; index += 1) {
    const center = centers[Math.floor(40 * random.uniform() ** 2)] as Float64Array;
    const factors = directions.map(gaussian);
    for (let d = 0; d < width; d += 1) {
      const along = directions.reduce(
        (sum, direction, l) => sum + (direction[d] as number) * (factors[l] as number),
        0,
      );
      values[index * width + d] = 3 + (center[d] as number) + along + 0.1 * gaussian();
    }
  }
  return { values, width };
}

function everyone(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

/** (n, n) max(0, cosine), 1 on the diagonal. */
function denseSimilarities(embeddings: Embeddings, count: number): Float64Array[] {
  const members = everyone(count);
  const cosine = centredCosine(members, embeddings, meanOf(members, embeddings));
  const rows = Array.from({ length: count }, () => new Float64Array(count));
  for (let a = 0; a < count; a += 1) {
    for (let b = 0; b <= a; b += 1) {
      const similarity = a === b ? 1 : Math.max(0, cosine(a, b));
      (rows[a] as Float64Array)[b] = similarity;
      (rows[b] as Float64Array)[a] = similarity;
    }
  }
  return rows;
}

/** Plain greedy: every gain at every step. */
function plainGreedy(
  similarities: readonly Float64Array[],
  size: number,
  worths?: readonly number[],
): number[] {
  const covered = new Float64Array(similarities.length);
  const chosen: number[] = [];
  while (chosen.length < size) {
    let [best, most] = [-1, -1];
    for (const [j, row] of similarities.entries()) {
      if (chosen.includes(j)) continue;
      // The point itself first, as the graph's code adds it.
      let gain = Math.max(0, 1 - (covered[j] as number));
      for (let i = 0; i < row.length; i += 1) {
        if (i !== j) gain += Math.max(0, (row[i] as number) - (covered[i] as number));
      }
      gain *= worths?.[j] ?? 1;
      if (gain > most) [best, most] = [j, gain];
    }
    chosen.push(best);
    const row = similarities[best] as Float64Array;
    for (let i = 0; i < row.length; i += 1) covered[i] = Math.max(covered[i] as number, row[i] as number);
  }
  return chosen;
}

/** F(S) = Σ_i max_{j ∈ S} s_ij. */
function coverage(similarities: readonly Float64Array[], chosen: Iterable<number>): number {
  const covered = new Float64Array(similarities.length);
  for (const j of chosen) {
    const row = similarities[j] as Float64Array;
    for (let i = 0; i < row.length; i += 1) covered[i] = Math.max(covered[i] as number, row[i] as number);
  }
  return covered.reduce((a, b) => a + b);
}

/** The graph of all pairs. */
function graphOf(similarities: readonly Float64Array[]): NeighbourGraph {
  const count = similarities.length;
  const graph = {
    offsets: Uint32Array.from({ length: count + 1 }, (_, point) => point * (count - 1)),
    neighbours: new Uint32Array(count * (count - 1)),
    similarities: new Float32Array(count * (count - 1)),
  };
  let edge = 0;
  for (const [i, row] of similarities.entries()) {
    for (let j = 0; j < count; j += 1) {
      if (j === i) continue;
      graph.neighbours[edge] = j;
      graph.similarities[edge] = row[j] as number;
      edge += 1;
    }
  }
  return graph;
}

test("lazy greedy chooses what plain greedy does, ties included, with and without worths", () => {
  const symmetric = fc.integer({ min: 1, max: 14 }).chain((count) =>
    fc.record({
      halves: fc.array(fc.constantFrom(0, 0.25, 0.5, 0.75, 1), {
        minLength: count * count,
        maxLength: count * count,
      }),
      worths: fc.array(fc.constantFrom(0, 0.25, 1), { minLength: count, maxLength: count }),
      count: fc.constant(count),
      size: fc.integer({ min: 1, max: count }),
    }),
  );
  fc.assert(
    fc.property(symmetric, fc.boolean(), ({ halves, worths, count, size }, weighted) => {
      const rows = Array.from({ length: count }, (_, i) =>
        Float64Array.from({ length: count }, (_, j) =>
          i === j ? 1 : (halves[Math.min(i, j) * count + Math.max(i, j)] as number),
        ),
      );
      const lazy = completed(lazyGreedy(graphOf(rows), weighted ? Float64Array.from(worths) : null, size));
      const plain = plainGreedy(rows, size, weighted ? worths : undefined);
      expect([...lazy]).toEqual(plain);
    }),
  );
});

test("the cosine is that of the embeddings minus the mean of the members, and 0 at the mean", () => {
  const embeddings = clustered(30, 7);
  const members = everyone(30).filter((index) => index % 3 !== 1);
  const rows = [...members].map((index) => [...embeddings.values.subarray(7 * index, 7 * index + 7)]);
  const mean = rows[0]?.map(
    (_, d) => rows.reduce((sum, row) => sum + (row[d] as number), 0) / rows.length,
  ) as number[];
  const centred = rows.map((row) => row.map((x, d) => x - (mean[d] as number)));
  const product = (a: number, b: number) =>
    centred[a]?.reduce((sum, x, d) => sum + x * (centred[b]?.[d] as number), 0) as number;
  const cosine = centredCosine(members, embeddings, meanOf(members, embeddings));
  for (let a = 0; a < rows.length; a += 1) {
    for (let b = 0; b < rows.length; b += 1) {
      expect(cosine(a, b)).toBeCloseTo(product(a, b) / Math.sqrt(product(a, a) * product(b, b)), 10);
    }
  }
  const three = embeddingsOf([
    [1, 2],
    [3, 4],
    [2, 3],
  ]);
  expect(centredCosine(everyone(3), three, meanOf(everyone(3), three))(0, 2)).toBe(0);
});

test("near-copies are covered by one of them", () => {
  const rows = [
    [1, 0, 0],
    [1, 0.01, 0],
    [1, 0, 0.01],
    [0, 1, 0],
    [0, 1, 0.01],
    [0, 0, 1],
  ];
  const columns = columnsOf(
    rows.map(() => 1),
    { embeddings: embeddingsOf(rows) },
  );
  const { indices } = selected(requestOf("facility_location", { size: 3 }), columns);
  const groups = [...indices].map((index) => (index < 3 ? 0 : index < 5 ? 1 : 2));
  expect(groups).toEqual([0, 1, 2]); // the largest group first
});

test("equal embeddings, which have no direction from their mean, go by number", () => {
  const columns = columnsOf([1, 1, 1, 1], { embeddings: embeddingsOf([[2], [2], [2], [2]]) });
  expect([...selected(requestOf("facility_location", { size: 3 }), columns).indices]).toEqual([0, 1, 2]);
});

describe("compared with exact greedy on every similarity", () => {
  const [count, width] = [800, 48];
  const embeddings = clustered(count, width);
  const similarities = denseSimilarities(embeddings, count);
  const columns = columnsOf(new Array<number>(count).fill(1), { embeddings });

  test.each([0.02, 0.1, 0.3])(
    "a selection of %f covers at least 95% of what exact greedy does, and more than chance",
    (part) => {
      const size = Math.round(part * count);
      const exact = coverage(similarities, plainGreedy(similarities, size));
      const ours = coverage(
        similarities,
        selected(requestOf("facility_location", { size }), columns).indices,
      );
      expect(ours).toBeGreaterThan(0.95 * exact);
      expect(ours).toBeGreaterThan(coverage(similarities, everyone(size)));
    },
  );

  test("with strength, high scores come in and coverage remains above that of the top scores", () => {
    const scores = Float64Array.from({ length: count }, () => random.uniform());
    const meanScore = (indices: Uint32Array) =>
      indices.reduce((sum, index) => sum + (scores[index] as number), 0) / indices.length;
    const size = 80;
    const [diverse, both] = [0, 2].map(
      (strength) =>
        selected(requestOf("facility_location", { size, strength }), { ...columns, scores }).indices,
    ) as [Uint32Array, Uint32Array];
    const top = selected(requestOf("top", { size }), { ...columns, scores }).indices;
    expect(meanScore(both)).toBeGreaterThan(meanScore(diverse) + 0.1);
    expect(coverage(similarities, both)).toBeGreaterThan(coverage(similarities, top));
  });

  test("active takes the top, and with diversity covers more within ten times as many of the top", () => {
    const scores = Float64Array.from({ length: count }, () => random.uniform());
    const given = { ...columns, scores };
    const top = selected(requestOf("top", { size: 20 }), given).indices;
    expect(selected(requestOf("active", { size: 20 }), given).indices).toEqual(top);
    const pool = new Set(selected(requestOf("top", { size: 200 }), given).indices);
    const diverse = selected(requestOf("active", { size: 20, diverse: true }), given).indices;
    expect(diverse.every((index) => pool.has(index))).toBe(true);
    expect(coverage(similarities, diverse)).toBeGreaterThan(coverage(similarities, top));
  });
});

describe("many samples, whose neighbours are found by buckets", () => {
  const [count, width] = [2400, 192];
  const embeddings = clustered(count, width);
  const members = everyone(count);

  test("half of the nearest are found, and what is found is nearly as near", () => {
    expect(count * count * width).toBeGreaterThan(2 ** 30);
    const { offsets, neighbours, similarities } = completed(
      neighbourGraph(members, embeddings, 16, randomOf(1)),
    );
    const cosine = centredCosine(members, embeddings, meanOf(members, embeddings));
    let [found, near, nearest] = [0, 0, 0];
    for (let point = 0; point < count; point += 40) {
      const exact = [...members]
        .filter((other) => other !== point)
        .map((other) => ({ other, similarity: cosine(point, other) }))
        .sort((a, b) => b.similarity - a.similarity)
        .slice(0, 16);
      const edges = [offsets[point] as number, offsets[point + 1] as number] as const;
      const known = new Set(neighbours.subarray(...edges));
      found += exact.filter(({ other }) => known.has(other)).length;
      nearest += exact.reduce((sum, { similarity }) => sum + similarity, 0);
      near += similarities
        .slice(...edges)
        .sort()
        .slice(-16)
        .reduce((a, b) => a + b, 0);
    }
    expect(found / (16 * (count / 40))).toBeGreaterThan(0.5);
    expect(near / nearest).toBeGreaterThan(0.9);
  });

  test("every edge has its reverse, no edge is there twice, and a similarity is the exact cosine", () => {
    const { offsets, neighbours, similarities } = completed(
      neighbourGraph(members, embeddings, 16, randomOf(1)),
    );
    const cosine = centredCosine(members, embeddings, meanOf(members, embeddings));
    const edges = new Set<number>();
    for (const point of members) {
      for (let edge = offsets[point] as number; edge < (offsets[point + 1] as number); edge += 1) {
        const neighbour = neighbours[edge] as number;
        edges.add(point * count + neighbour);
        if (edge % 97 === 0) expect(similarities[edge]).toBeCloseTo(cosine(point, neighbour), 6);
      }
    }
    expect(edges.size).toBe(neighbours.length);
    const ends = [...edges].map((edge) => [Math.floor(edge / count), edge % count] as const);
    expect(ends.every(([a, b]) => a !== b && edges.has(b * count + a))).toBe(true);
  });

  test("a tenth covers at least 98% of what exact greedy does, with progress, the same for the same seed", () => {
    const columns = columnsOf(new Array<number>(count).fill(1), { embeddings });
    const request = requestOf("facility_location", { size: 240 });
    const steps = select(request, columns);
    const fractions: number[] = [];
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) fractions.push(step.value);
    const { indices } = step.value;
    expect(fractions.length).toBeGreaterThan(10);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(selected(request, columns).indices).toEqual(indices);
    const similarities = denseSimilarities(embeddings, count);
    const exact = completed(lazyGreedy(graphOf(similarities), null, 240));
    expect(coverage(similarities, indices)).toBeGreaterThan(0.98 * coverage(similarities, exact));
  });
});
