import { expect, it } from "vitest";
import { readMetrics } from "../../dashboard/src/api/prometheus.js";
import { keepLatest, type Reading, rateOf } from "../../dashboard/src/screens/now/readings.js";
import { bodyOf } from "../../dashboard/src/screens/try/pair.js";

function reading(atMs: number, count: number, start = 1): Reading {
  return { atMs, metrics: readMetrics(`a_total{model="m"} ${count}\nprocess_start_time_seconds ${start}`) };
}

it("a rate is the growth a second between two readings", () => {
  expect(rateOf(reading(1000, 10), reading(3000, 30), "a_total")).toBe(10);
  expect(rateOf(reading(1000, 10), reading(1000, 10), "a_total")).toBeNull();
});

it("readings of another run of the service, and old ones, are dropped", () => {
  const kept = [reading(0, 1), reading(60_000, 2), reading(119_000, 3)].reduce(keepLatest, []);
  expect(kept).toHaveLength(3);
  expect(keepLatest(kept, reading(130_000, 4)).map(({ atMs }) => atMs)).toEqual([60_000, 119_000, 130_000]);
  expect(keepLatest(kept, reading(119_500, 0, 2)).map(({ atMs }) => atMs)).toEqual([119_500]);
});

it("a pair asks for the signals that its model and label allow", () => {
  const model = { name: "m", task: "binary", gradient_graphs: ["norms"] };
  const pair = { query: "q", document: "d", label: "1" };
  expect(bodyOf(pair, model)).toEqual({
    model: "m",
    signals: ["loss", "probability", "sensitivity", "grad_norm"],
    weighting: null,
    samples: [{ query: "q", document: "d", label: 1 }],
  });
  expect(bodyOf({ ...pair, label: "" }, { ...model, gradient_graphs: [] })).toMatchObject({
    signals: ["probability"],
    samples: [{ query: "q", document: "d" }],
  });
  expect(bodyOf(pair, { ...model, task: "regression" }).signals).not.toContain("probability");
});
