import type { JSX } from "preact";
import { type Metrics, quantileOf, total, valuesOf } from "../../api/prometheus.js";
import { formatCount, formatSeconds } from "../../format.js";
import { Table } from "../../parts/table.js";
import type { Reading } from "./readings.js";

const NAME = "assay_stage_seconds";
const ROUTE = "/v1/score";

/** How long each stage of scoring took: in the last two minutes, or since the start if nothing was scored in them. */
export function Stages({ readings }: { readonly readings: readonly Reading[] }): JSX.Element | null {
  const newest = readings.at(-1);
  if (newest === undefined) return null;
  const after = newest.metrics;
  const first = readings[0]?.metrics ?? after;
  const recent = requestsOf(after) - requestsOf(first);
  const before = recent > 0 ? first : null;
  const rows = stagesOf(after).map((stage) => {
    const histogram = { name: NAME, labels: { route: ROUTE, stage } };
    return {
      stage,
      median: quantileOf(before, after, histogram, 0.5),
      most: quantileOf(before, after, histogram, 0.95),
      total:
        total(after, `${NAME}_sum`, histogram.labels) -
        (before === null ? 0 : total(before, `${NAME}_sum`, histogram.labels)),
    };
  });
  const whole = rows.reduce((sum, row) => sum + row.total, 0);
  return (
    <section class="panel">
      <h2>Latency by stage</h2>
      {rows.length === 0 ? (
        <p>Nothing has been scored since the start.</p>
      ) : (
        <>
          <p class="hint">
            {recent > 0
              ? `Of the ${formatCount(recent)} requests to score since this screen opened, two minutes at most.`
              : `Of all ${formatCount(requestsOf(after))} requests to score since the start.`}
          </p>
          <Table
            caption="Latency of scoring by stage"
            columns={[
              { title: "Stage", cell: ({ stage }) => stage },
              { title: "Median", isNumber: true, cell: ({ median }) => formatSeconds(median) },
              { title: "95%", isNumber: true, cell: ({ most }) => formatSeconds(most) },
              {
                title: "Share of the time",
                cell: ({ stage, total: own }) => (
                  <meter aria-label={`${stage}: share of the time`} value={whole > 0 ? own / whole : 0} />
                ),
              },
            ]}
            rows={rows}
            keyOf={({ stage }) => stage}
          />
        </>
      )}
    </section>
  );
}

function requestsOf(metrics: Metrics): number {
  return total(metrics, "assay_requests_total", { route: ROUTE });
}

function stagesOf(metrics: Metrics): string[] {
  const series = (metrics.get(`${NAME}_count`) ?? []).filter(({ labels }) => labels.route === ROUTE);
  return valuesOf(new Map([[NAME, series]]), NAME, "stage");
}
