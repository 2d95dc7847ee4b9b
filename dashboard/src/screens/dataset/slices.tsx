import type { JSX } from "preact";
import type { Slice, SliceList } from "../../api/answers.js";
import { formatCount, formatNumber, formatShare, inWords } from "../../format.js";
import { State } from "../../parts/state.js";
import { type Column, Table } from "../../parts/table.js";
import { useAnswer } from "../../use-answer.js";

interface SlicesProps {
  readonly path: string;
  /** The column whose mean is compared. */
  readonly column: string;
  readonly hasSources: boolean;
}

/** The dataset by label and, if its samples have sources, by source. */
export function Slices({ path, column, hasSources }: SlicesProps): JSX.Element {
  return (
    <section class="panel">
      <h2>Labels{hasSources && " and sources"}</h2>
      <SlicesBy by="label" path={path} column={column} />
      {hasSources && <SlicesBy by="source" path={path} column={column} />}
    </section>
  );
}

interface SlicesByProps {
  readonly by: "label" | "source";
  readonly path: string;
  readonly column: string;
}

function SlicesBy({ by, path, column }: SlicesByProps): JSX.Element {
  const about = `${path}/slices?by=${by}&column=${encodeURIComponent(column)}&limit=20`;
  const answer = useAnswer(about, (client, signal) => client.read<SliceList>(about, signal));
  return (
    <State answer={answer} what={`Comparing by ${by}`}>
      {(slices) => <SliceTable by={by} column={column} slices={slices} />}
    </State>
  );
}

interface SliceTableProps {
  readonly by: string;
  readonly column: string;
  readonly slices: SliceList;
}

function SliceTable({ by, column, slices: { slices, slices_total } }: SliceTableProps): JSX.Element {
  const columns: Column<Slice>[] = [
    { title: by === "label" ? "Label" : "Source", cell: ({ name }) => name ?? "none" },
    { title: "Samples", isNumber: true, cell: ({ samples }) => formatCount(samples) },
    { title: "Share", isNumber: true, cell: ({ share }) => formatShare(share) },
    { title: "Of the weights", isNumber: true, cell: (slice) => formatShare(slice.weight_share) },
    {
      title: "Effective size",
      isNumber: true,
      cell: ({ effective_sample_size: size }) => (size === null ? "–" : formatCount(size)),
    },
    { title: `Mean ${inWords(column)}`, isNumber: true, cell: meanOf },
  ];
  return (
    <>
      <Table caption={`Samples by ${by}`} columns={columns} rows={slices} keyOf={({ name }) => name ?? ""} />
      {slices_total > slices.length && (
        <p class="hint">
          The {slices.length} largest of {formatCount(slices_total)}.
        </p>
      )}
    </>
  );
}

/** The mean of the column with its standard error. */
function meanOf({ means: [mean] }: Slice): string {
  if (mean === undefined) return "–";
  const error = mean.standard_error === null ? "" : ` ± ${formatNumber(mean.standard_error)}`;
  return `${formatNumber(mean.mean)}${error}`;
}
