import { describe, expect, it } from "vitest";
import { quantileOf, readMetrics, total, valuesOf } from "../../dashboard/src/api/prometheus.js";
import { createMetrics } from "../../src/observe/metrics.js";

describe("the Prometheus text format", () => {
  it("gives what the service's registry wrote, with labels that need escapes", async () => {
    const metrics = createMetrics();
    const odd = 'a "model", with \\ and\na line';
    metrics.samples.inc({ model: odd }, 3);
    metrics.samples.inc({ model: "b" }, 4.5);
    const read = readMetrics(await metrics.registry.metrics());
    expect(total(read, "assay_samples_total")).toBe(7.5);
    expect(total(read, "assay_samples_total", { model: odd })).toBe(3);
    expect(valuesOf(read, "assay_samples_total", "model")).toEqual([odd, "b"]);
  });

  it("has infinite values and numbers with exponents", () => {
    const read = readMetrics("# HELP a b\na 1e-3\nb +Inf\nc -Inf 1700000000000\n\n");
    expect([...read].map(([name, [series]]) => [name, series?.value])).toEqual([
      ["a", 0.001],
      ["b", Number.POSITIVE_INFINITY],
      ["c", Number.NEGATIVE_INFINITY],
    ]);
  });

  it("is refused where a line is no series", () => {
    expect(() => readMetrics("<html>")).toThrow("Not a metric: <html>");
  });
});

describe("a quantile", () => {
  const histogram = { name: "s", labels: { route: "/a" } };
  const text = (low: number, high: number, all: number) =>
    readMetrics(
      `s_bucket{le="1",route="/a"} ${low}\ns_bucket{le="3",route="/a"} ${high}\ns_bucket{le="+Inf",route="/a"} ${all}\ns_bucket{le="1",route="/b"} 99`,
    );

  it("is interpolated within its bucket", () => {
    expect(quantileOf(null, text(2, 6, 6), histogram, 0.5)).toBe(1.5);
    expect(quantileOf(null, text(4, 4, 4), histogram, 0.5)).toBe(0.5);
  });

  it("is of what was counted between two readings", () => {
    expect(quantileOf(text(100, 100, 100), text(100, 102, 102), histogram, 0.5)).toBe(2);
  });

  it("is the lower bound of the open bucket, and null if nothing was counted", () => {
    expect(quantileOf(null, text(0, 0, 5), histogram, 0.5)).toBe(3);
    expect(quantileOf(text(1, 1, 1), text(1, 1, 1), histogram, 0.5)).toBeNull();
  });
});
