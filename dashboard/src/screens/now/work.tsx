import type { JSX } from "preact";
import { total } from "../../api/prometheus.js";
import { formatCount, formatNumber, formatShare } from "../../format.js";
import { Chart } from "../../parts/chart.js";
import { Facts } from "../../parts/facts.js";
import { type Reading, rateOf } from "./readings.js";

/** Throughput, queue and cache, from the readings since the screen was opened. */
export function Work({ readings }: { readonly readings: readonly Reading[] }): JSX.Element | null {
  const newest = readings.at(-1);
  if (newest === undefined) return null;
  const previous = readings.at(-2);
  const now = previous === undefined ? null : rateOf(previous, newest, "assay_samples_total");
  const { metrics } = newest;
  const samples = total(metrics, "assay_samples_total");
  const hits = total(metrics, "assay_cache_hits_total");
  const requests = total(metrics, "assay_requests_total", { route: "/v1/score" });
  const refused = total(metrics, "assay_requests_total", { route: "/v1/score", status: "429" });
  const rates = readings
    .slice(1)
    .map((reading, at) => rateOf(readings[at] ?? reading, reading, "assay_samples_total"));
  return (
    <section class="panel">
      <h2>Work</h2>
      <Facts
        facts={[
          { name: "Samples a second", value: formatNumber(now === null ? null : Math.round(now * 10) / 10) },
          { name: "Tokens in the queue", value: formatCount(total(metrics, "assay_queue_tokens")) },
          {
            name: "From the cache",
            value: samples === 0 ? "–" : formatShare(hits / samples),
            note: `${formatCount(hits)} of ${formatCount(samples)} samples`,
          },
          {
            name: "Requests to score",
            value: formatCount(requests),
            note: refused > 0 ? `${formatCount(refused)} refused, the queue was full` : "since the start",
          },
        ]}
      />
      {rates.length > 0 && (
        <>
          <h3>Samples a second, the last two minutes</h3>
          <Chart
            label={`Samples a second over the last two minutes, now ${formatNumber(now)}`}
            line="samples a second"
            xs={readings.slice(1).map(({ atMs }) => atMs / 1000)}
            ys={rates}
            isTime
          />
        </>
      )}
    </section>
  );
}
