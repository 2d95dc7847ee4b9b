import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { columnOf, type RankedPage, type Sample } from "../../api/answers.js";
import { formatNumber, inWords } from "../../format.js";
import { Empty, State } from "../../parts/state.js";
import { type Column, Table } from "../../parts/table.js";
import { datasetLink, sampleLink } from "../../route.js";
import { useAnswer } from "../../use-answer.js";
import { queryOf, type View } from "../../view.js";
import { SampleFilter } from "./sample-filter.js";

interface RankedSamplesProps {
  readonly dataset: string;
  readonly columns: readonly string[];
  readonly view: View;
}

/** The cursors of the page that is shown and of those before it, for one view. */
interface Paging {
  readonly query: string;
  readonly cursors: readonly string[];
}

const PAGE = 20;
/** What the table shows beside the column that it is sorted by, as far as samples have it. */
const SHOWN = ["loss", "probability", "grad_norm_last", "grad_norm", "weight"];

/** The samples in the order of a column, a page at a time. The address names the view, so that it can be sent to others. */
export function RankedSamples({ dataset, columns, view }: RankedSamplesProps): JSX.Element {
  // A dataset without losses is sorted by the first column that it has.
  const sort = columns.includes(view.sort.replace(/^-/, "")) ? view.sort : `-${columns[0] ?? "loss"}`;
  const query = queryOf({ ...view, sort });
  const [paging, setPaging] = useState<Paging>({ query, cursors: [] });
  // Another view begins with its first page.
  const cursors = paging.query === query ? paging.cursors : [];
  const setCursors = (next: readonly string[]): void => setPaging({ query, cursors: next });
  const cursor = cursors.at(-1);
  const title = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  // A link further down the screen may have changed the view.
  useEffect(() => {
    if (!isFirst.current) title.current?.scrollIntoView({ block: "nearest" });
    isFirst.current = false;
  }, [query]);
  const path = `v1/datasets/${encodeURIComponent(dataset)}/samples?${query}&limit=${PAGE}${cursor === undefined ? "" : `&cursor=${cursor}`}`;
  const answer = useAnswer(path, (client, signal) => client.read<RankedPage>(path, signal));
  const open = (next: View): void => {
    location.hash = datasetLink(dataset, queryOf(next));
  };
  return (
    <section class="panel">
      <h2 ref={title}>Samples</h2>
      <SampleFilter dataset={dataset} columns={columns} view={{ ...view, sort }} open={open} />
      <State answer={answer} what="Sorting the samples">
        {({ samples, next_cursor: next, hashed_ids: isHashed }) => (
          <>
            {isHashed && (
              <p>This dataset keeps hashes of its ids. To open a sample, enter your own id above.</p>
            )}
            {samples.length === 0 && (
              <Empty>
                <p>
                  No sample passes the filter. <a href={datasetLink(dataset)}>Show all samples</a>.
                </p>
              </Empty>
            )}
            {samples.length > 0 && (
              <Table
                caption={`Samples by ${inWords(sort.replace(/^-/, ""))}`}
                columns={tableColumns(isHashed ? null : dataset, sort.replace(/^-/, ""), columns)}
                rows={samples}
                keyOf={({ id }) => id}
              />
            )}
            <div class="pager">
              {cursors.length > 0 && (
                <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
                  Previous
                </button>
              )}
              {next !== null && (
                <button type="button" onClick={() => setCursors([...cursors, next])}>
                  Next
                </button>
              )}
            </div>
          </>
        )}
      </State>
    </section>
  );
}

/** @param linked the dataset whose samples the ids open; null if they open none */
function tableColumns(linked: string | null, sorted: string, columns: readonly string[]): Column<Sample>[] {
  const others = SHOWN.filter((name) => name !== sorted && columns.includes(name));
  return [
    {
      title: "Id",
      cell: ({ id }) => (linked === null ? id : <a href={sampleLink(linked, id)}>{id}</a>),
    },
    { title: "Label", isNumber: true, cell: ({ label }) => labelText(label) },
    ...[sorted, ...others].map((name) => ({
      title: inWords(name),
      isNumber: true,
      cell: (sample: Sample) => formatNumber(columnOf(sample, name)),
    })),
    { title: "Source", cell: ({ source }) => source ?? "–" },
  ];
}

/** A label as the API has it: a number, probabilities, or none. */
export function labelText(label: Sample["label"]): string {
  if (label === null) return "–";
  return typeof label === "number" ? formatNumber(label) : label.map(formatNumber).join(", ");
}
