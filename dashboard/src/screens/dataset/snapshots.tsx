import type { JSX } from "preact";
import type { Snapshot } from "../../api/answers.js";
import { formatCount, formatNumber, formatShare, formatTime, inWords } from "../../format.js";
import { State } from "../../parts/state.js";
import { type Column, Table } from "../../parts/table.js";
import { useAnswer } from "../../use-answer.js";

const COLUMNS: readonly Column<Snapshot>[] = [
  { title: "Snapshot", cell: ({ version }) => version },
  { title: "Made", cell: ({ as_of }) => formatTime(as_of) },
  { title: "Weighting", cell: weightingOf },
  { title: "Samples", isNumber: true, cell: ({ samples }) => formatCount(samples) },
  { title: "Effective size", isNumber: true, cell: effectiveSize },
  { title: "Largest", isNumber: true, cell: largestWeight },
  { title: "Pareto k̂", isNumber: true, cell: (snapshot) => formatNumber(diagnosticsOf(snapshot).pareto_k) },
  { title: "τ", isNumber: true, cell: (snapshot) => formatNumber(diagnosticsOf(snapshot).tau) },
];

/** The weights by snapshot, with their diagnostics. */
export function Snapshots({ path }: { readonly path: string }): JSX.Element {
  const about = `${path}/snapshots`;
  const answer = useAnswer(about, (client, signal) =>
    client.read<{ readonly snapshots: readonly Snapshot[] }>(about, signal),
  );
  return (
    <section class="panel">
      <h2>Weights by snapshot</h2>
      <State answer={answer} what="Reading the snapshots">
        {({ snapshots }) => (
          <Table
            caption="Snapshots of the weights"
            columns={COLUMNS}
            rows={snapshots}
            keyOf={({ version }) => String(version)}
          />
        )}
      </State>
      <p class="hint">
        The effective size says how many equal samples the weights are worth. A k̂ above about 0.7 says that a
        few samples carry the sum.
      </p>
    </section>
  );
}

function diagnosticsOf({ provenance }: Snapshot) {
  return provenance.diagnostics ?? {};
}

function weightingOf({ provenance: { weighting = {} } }: Snapshot): string {
  const { scheme = "–", signal, role } = weighting;
  const of = signal === undefined ? "" : ` of ${inWords(signal)}`;
  return `${inWords(scheme)}${of}${role === "probability" ? ", to draw by" : ""}`;
}

function effectiveSize(snapshot: Snapshot): string {
  const size = diagnosticsOf(snapshot).effective_sample_size;
  if (size === null || size === undefined) return "–";
  return `${formatCount(size)} (${formatShare(size / snapshot.samples)})`;
}

/** As a multiple of the mean. */
function largestWeight(snapshot: Snapshot): string {
  const largest = diagnosticsOf(snapshot).max_weight;
  if (largest === null || largest === undefined) return "–";
  return `${formatNumber((largest * snapshot.samples) / (snapshot.weight_sum ?? 1))} × mean`;
}
