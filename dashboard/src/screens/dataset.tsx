import type { JSX } from "preact";
import type { Dataset, HistogramList } from "../api/answers.js";
import { formatCount, formatTime } from "../format.js";
import { Facts } from "../parts/facts.js";
import { Empty, State } from "../parts/state.js";
import { datasetLink } from "../route.js";
import { useAnswer } from "../use-answer.js";
import { readView } from "../view.js";
import { ConfidenceMap } from "./dataset/confidence-map.js";
import { Distributions } from "./dataset/distributions.js";
import { RankedSamples } from "./dataset/ranked-samples.js";
import { Slices } from "./dataset/slices.js";
import { Snapshots } from "./dataset/snapshots.js";

interface DatasetScreenProps {
  readonly dataset: string;
  /** The query of the address: which samples are listed. */
  readonly query: string;
}

/** One dataset: its counts, distributions, weights by snapshot, slices and samples. */
export function DatasetScreen({ dataset, query }: DatasetScreenProps): JSX.Element {
  const path = `v1/datasets/${encodeURIComponent(dataset)}`;
  const summary = useAnswer(path, (client, signal) => client.read<Dataset>(path, signal));
  return (
    <>
      <p class="crumbs">
        <a href="#/datasets">Datasets</a>
      </p>
      <h1>{dataset}</h1>
      <State answer={summary} what="Reading the dataset">
        {(found) => (
          <>
            <section class="panel" aria-label="At a glance">
              <Facts facts={factsOf(found)} />
            </section>
            <Contents path={path} dataset={found} query={query} />
          </>
        )}
      </State>
    </>
  );
}

interface ContentsProps {
  readonly path: string;
  readonly dataset: Dataset;
  readonly query: string;
}

/** What needs the names of the columns. They come with any histogram; every dataset has a column of weights. */
function Contents({ path, dataset, query }: ContentsProps): JSX.Element {
  const about = `${path}/histograms?column=weight&bins=1`;
  const answer = useAnswer(about, (client, signal) => client.read<HistogramList>(about, signal));
  const name = dataset.dataset;
  return (
    <State answer={answer} what="Reading the samples">
      {({ columns: all }) => {
        const columns = all.filter((column) => column !== "weight" || dataset.snapshot !== null);
        if (columns.length === 0)
          return (
            <Empty>
              <p>No sample of the dataset has a signal. Score samples with its name to see them here.</p>
            </Empty>
          );
        return (
          <>
            <RankedSamples dataset={name} columns={columns} view={readView(query)} />
            <Distributions
              path={path}
              columns={columns}
              linkOf={(column) => datasetLink(name, `sort=-${encodeURIComponent(column)}`)}
            />
            {columns.includes("variability") && <ConfidenceMap path={path} />}
            <Slices
              path={path}
              column={columns.includes("loss") ? "loss" : (columns[0] ?? "loss")}
              hasSources={hasSources(dataset)}
            />
            {dataset.snapshot !== null && <Snapshots path={path} />}
          </>
        );
      }}
    </State>
  );
}

function hasSources({ samples_by_source }: Dataset): boolean {
  return Object.keys(samples_by_source).length > 0;
}

function factsOf({ samples, created_at, updated_at, samples_by_model, snapshot }: Dataset) {
  const size = snapshot?.provenance.diagnostics?.effective_sample_size ?? null;
  return [
    { name: "Samples", value: formatCount(samples) },
    {
      name: "Effective sample size",
      value: size === null ? "–" : formatCount(size),
      note: snapshot === null ? "not weighed yet" : `of ${formatCount(snapshot.samples)} weighed`,
    },
    {
      name: "Changed",
      value: <span class="long">{formatTime(updated_at)}</span>,
      note: `begun ${formatTime(created_at)}`,
    },
    {
      name: "Scored by",
      value:
        Object.keys(samples_by_model).length === 1
          ? "1 model"
          : `${Object.keys(samples_by_model).length} models`,
      note: Object.entries(samples_by_model)
        .map(([model, count]) => `${model}: ${formatCount(count)}`)
        .join(", "),
    },
  ];
}
