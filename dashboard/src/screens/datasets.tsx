import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Dataset, DatasetList } from "../api/answers.js";
import { formatCount, formatShare, formatTime } from "../format.js";
import { Empty, State } from "../parts/state.js";
import { type Column, Table } from "../parts/table.js";
import { datasetLink } from "../route.js";
import { useAnswer } from "../use-answer.js";

const COLUMNS: readonly Column<Dataset>[] = [
  { title: "Dataset", cell: ({ dataset }) => <a href={datasetLink(dataset)}>{dataset}</a> },
  { title: "Samples", isNumber: true, cell: ({ samples }) => formatCount(samples) },
  {
    title: "Sources",
    isNumber: true,
    cell: ({ samples_by_source }) => formatCount(Object.keys(samples_by_source).length),
  },
  { title: "Snapshot", isNumber: true, cell: ({ snapshot }) => snapshot?.version ?? "–" },
  { title: "Effective share", isNumber: true, cell: effectiveShare },
  { title: "Changed", cell: ({ updated_at }) => formatTime(updated_at) },
];

/** The datasets, a page at a time. */
export function DatasetsScreen(): JSX.Element {
  // The cursors of this page and of those before it.
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1);
  const path = `v1/datasets?limit=50${cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
  const answer = useAnswer(path, (client, signal) => client.read<DatasetList>(path, signal));
  return (
    <>
      <h1>Datasets</h1>
      <State answer={answer} what="Reading the datasets">
        {({ datasets, next_cursor: next }) => (
          <>
            {datasets.length === 0 && <NoDatasets />}
            {datasets.length > 0 && (
              <Table caption="Datasets" columns={COLUMNS} rows={datasets} keyOf={({ dataset }) => dataset} />
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
    </>
  );
}

function NoDatasets(): JSX.Element {
  return (
    <Empty>
      <p>
        No dataset yet. One begins with the first request that names it: send <code>"dataset": "NAME"</code>{" "}
        and an <code>id</code> for each sample to <code>POST /v1/score</code>.
      </p>
    </Empty>
  );
}

function effectiveShare({ snapshot }: Dataset): string {
  const size = snapshot?.provenance.diagnostics?.effective_sample_size;
  if (snapshot === null || size === null || size === undefined) return "–";
  return formatShare(size / snapshot.samples);
}
