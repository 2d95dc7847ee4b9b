import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Part, Readiness } from "../api/answers.js";
import { type Metrics, readMetrics } from "../api/prometheus.js";
import { State } from "../parts/state.js";
import { useAnswer } from "../use-answer.js";
import { Engines } from "./now/engines.js";
import { keepLatest, type Reading } from "./now/readings.js";
import { Stages } from "./now/stages.js";
import { Work } from "./now/work.js";

const EVERY_MS = 2000;

/** What the service does now: its parts, work, latency and engine processes. It asks again every two seconds. */
export function NowScreen(): JSX.Element {
  const readiness = useAnswer(
    "readyz",
    // 503 tells which part is not ready.
    (client, signal) => client.read<Readiness>("readyz", signal, [503]),
    EVERY_MS,
  );
  const metrics = useAnswer<Reading>(
    "metrics",
    async (client, signal) => {
      const read: Metrics = readMetrics(await client.readText("metrics", signal));
      return { atMs: Date.now(), metrics: read };
    },
    EVERY_MS,
  );
  const [readings, setReadings] = useState<readonly Reading[]>([]);
  const { value } = metrics;
  useEffect(() => {
    if (value !== null) setReadings((before) => keepLatest(before, value));
  }, [value]);

  return (
    <>
      <h1>Now</h1>
      <State answer={readiness} what="Asking whether the service is ready">
        {({ model, store }) => (
          <div class="parts">
            <PartState name="Model" part={model} />
            <PartState name="Store" part={store} />
          </div>
        )}
      </State>
      <State answer={metrics} what="Reading the metrics">
        {(reading) => (
          <>
            <Work readings={readings.length === 0 ? [reading] : readings} />
            <Engines metrics={reading.metrics} />
            <Stages readings={readings.length === 0 ? [reading] : readings} />
          </>
        )}
      </State>
    </>
  );
}

function PartState({ name, part }: { readonly name: string; readonly part: Part }): JSX.Element {
  return (
    <section class="panel part">
      <h2>
        {name}{" "}
        <span class={`badge ${part.ready ? "ready" : "failed"}`}>{part.ready ? "ready" : "not ready"}</span>
      </h2>
      <p>{part.detail}</p>
    </section>
  );
}
