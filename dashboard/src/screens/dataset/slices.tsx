import type { JSX } from "preact";
import type { Slice, SliceList } from "../../api/answers.js";
import { formatCount, formatNumber, formatShare } from "../../format.js";
import { State } from "../../parts/state.js";
import { type Column, Table } from "../../parts/table.js";
import { useAnswer } from "../../use-answer.js";

interface SlicesProps {
  readonly path: string;
  readonly labels: SliceList;
  readonly hasSources: boolean;
}

/** The dataset by label and, if its samples have sources, by source. */
export function Slices({ path, labels, hasSources }: SlicesProps): JSX.Element {
  return (
    <section class="panel">
      <h2>Labels{hasSources && " and sources"}</h2>
      <SliceTable by="Label" slices={labels} />
      {hasSources && <Sources path={path} />}
    </section>
  );
}

function Sources({ path }: { readonly path: string }): JSX.Element {
  const about = `${path}/slices?by=source&column=*&limit=50`;
  const answer = useAnswer(about, (client, signal) => client.read<SliceList>(about, signal));
  return (
    <State answer={answer} what="Counting the sources">
      {(slices) => <SliceTable by="Source" slices={slices} />}
    </State>
  );
}

interface SliceTableProps {
  readonly by: string;
  readonly slices: SliceList;
}

function SliceTable({ by, slices: { slices, slices_total } }: SliceTableProps): JSX.Element {
  const columns: Column<Slice>[] = [
    { title: by, cell: ({ name }) => name ?? "none" },
    { title: "Samples", isNumber: true, cell: ({ samples }) => formatCount(samples) },
    { title: "Share", isNumber: true, cell: ({ share }) => formatShare(share) },
    { title: "Of the weights", isNumber: true, cell: (slice) => formatShare(slice.weight_share) },
    {
      title: "Effective size",
      isNumber: true,
      cell: ({ effective_sample_size: size }) => (size === null ? "–" : formatCount(size)),
    },
    { title: "Mean loss", isNumber: true, cell: meanLoss },
  ];
  return (
    <>
      <Table
        caption={`Samples by ${by.toLowerCase()}`}
        columns={columns}
        rows={slices}
        keyOf={({ name }) => name ?? ""}
      />
      {slices_total > slices.length && (
        <p class="hint">
          The {slices.length} largest of {formatCount(slices_total)}.
        </p>
      )}
    </>
  );
}

/** The mean with its standard error. */
function meanLoss({ means }: Slice): string {
  const loss = means.find(({ column }) => column === "loss");
  if (loss === undefined) return "–";
  const error = loss.standard_error === null ? "" : ` ± ${formatNumber(loss.standard_error)}`;
  return `${formatNumber(loss.mean)}${error}`;
}
