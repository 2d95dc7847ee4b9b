import type { JSX } from "preact";
import { type Metrics, total, valuesOf } from "../../api/prometheus.js";
import { formatBytes, formatCount, formatNumber, formatSeconds } from "../../format.js";
import { type Column, Table } from "../../parts/table.js";

/** The engine processes of each model, and the process of the service itself. */
export function Engines({ metrics }: { readonly metrics: Metrics }): JSX.Element {
  const models = valuesOf(metrics, "assay_model_ready", "model");
  const of = (name: string, model: string): number => total(metrics, name, { model });
  const columns: Column<string>[] = [
    { title: "Model", cell: (model) => model },
    {
      title: "State",
      cell: (model) =>
        of("assay_model_ready", model) > 0 ? (
          <span class="badge ready">answers</span>
        ) : (
          <span class="badge">not loaded</span>
        ),
    },
    { title: "Devices", cell: (model) => devicesOf(metrics, model) },
    {
      title: "Memory",
      isNumber: true,
      cell: (model) => formatBytes(of("assay_engine_memory_bytes", model) || null),
    },
    { title: "Batches", isNumber: true, cell: (model) => formatCount(of("assay_batches_total", model)) },
    { title: "Rows a batch", isNumber: true, cell: (model) => rowsOf(metrics, model) },
    { title: "Deaths", isNumber: true, cell: (model) => formatCount(of("assay_engine_deaths_total", model)) },
    {
      title: "Failures",
      isNumber: true,
      cell: (model) => formatCount(of("assay_engine_failures_total", model)),
    },
  ];
  const seconds = Date.now() / 1000 - total(metrics, "process_start_time_seconds");
  return (
    <section class="panel">
      <h2>Engine processes</h2>
      {models.length === 0 ? (
        <p>No model has been loaded since the start.</p>
      ) : (
        <Table caption="Engine processes by model" columns={columns} rows={models} keyOf={(model) => model} />
      )}
      <p class="hint">
        The service itself has run for {formatSeconds(Math.max(0, seconds))} and takes{" "}
        {formatBytes(total(metrics, "process_resident_memory_bytes"))}; the 99th percentile of its event
        loop's delay is {formatSeconds(total(metrics, "nodejs_eventloop_lag_p99_seconds"))}.
      </p>
    </section>
  );
}

function devicesOf(metrics: Metrics, model: string): string {
  const series = metrics.get("assay_engine_device") ?? [];
  const devices = series.flatMap(({ labels }) => (labels.model === model ? (labels.device ?? []) : []));
  return devices.length === 0 ? "–" : devices.join(", ");
}

function rowsOf(metrics: Metrics, model: string): string {
  const batches = total(metrics, "assay_batch_rows_count", { model });
  return batches === 0 ? "–" : formatNumber(total(metrics, "assay_batch_rows_sum", { model }) / batches);
}
