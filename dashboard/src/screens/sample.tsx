import type { JSX } from "preact";
import {
  columnOf,
  type Dataset,
  type Histogram,
  type HistogramList,
  type SampleAnswer,
} from "../api/answers.js";
import { formatNumber, formatShare, formatTime, inWords } from "../format.js";
import { Chart } from "../parts/chart.js";
import { type Fact, Facts } from "../parts/facts.js";
import { State } from "../parts/state.js";
import { Table } from "../parts/table.js";
import { datasetLink } from "../route.js";
import { useAnswer } from "../use-answer.js";
import { percentileOf, wordsOfWeight } from "../words.js";
import { labelText } from "./dataset/ranked-samples.js";

interface SampleScreenProps {
  readonly dataset: string;
  readonly id: string;
}

interface Found {
  readonly sample: SampleAnswer;
  readonly dataset: Dataset;
}

/** One sample: its signals among those of the dataset, its factors, its history and why it weighs what it weighs. */
export function SampleScreen({ dataset, id }: SampleScreenProps): JSX.Element {
  const path = `v1/datasets/${encodeURIComponent(dataset)}`;
  const about = `${path}/samples/${encodeURIComponent(id)}`;
  const answer = useAnswer<Found>(about, async (client, signal) => {
    const [sample, summary] = await Promise.all([
      client.read<SampleAnswer>(about, signal),
      client.read<Dataset>(path, signal),
    ]);
    return { sample, dataset: summary };
  });
  return (
    <>
      <p class="crumbs">
        <a href="#/datasets">Datasets</a> / <a href={datasetLink(dataset)}>{dataset}</a>
      </p>
      <h1>{id}</h1>
      <State answer={answer} what="Reading the sample">
        {(found) => (
          <>
            <section class="panel" aria-label="At a glance">
              <Facts facts={factsOf(found.sample)} />
            </section>
            <Signals path={path} {...found} />
            <History sample={found.sample} />
          </>
        )}
      </State>
    </>
  );
}

function Signals({ path, sample, dataset }: Found & { readonly path: string }): JSX.Element {
  const names = namesOf(sample);
  const about = `${path}/histograms?bins=200&${names.map((name) => `column=${encodeURIComponent(name)}`).join("&")}`;
  const answer = useAnswer(about, async (client, signal) =>
    names.length === 0 ? [] : (await client.read<HistogramList>(about, signal)).histograms,
  );
  return (
    <>
      <section class="panel">
        <h2>Signals</h2>
        <State answer={answer} what="Comparing with the dataset">
          {(histograms) => <SignalTable sample={sample} names={names} histograms={histograms} />}
        </State>
        <Factors sample={sample} />
      </section>
      <section class="panel">
        <h2>Why it weighs what it weighs</h2>
        {wordsOf({ sample, dataset }, answer.value ?? []).map((words) => (
          <p key={words}>{words}</p>
        ))}
      </section>
    </>
  );
}

interface SignalTableProps {
  readonly sample: SampleAnswer;
  readonly names: readonly string[];
  readonly histograms: readonly Histogram[];
}

function SignalTable({ sample, names, histograms }: SignalTableProps): JSX.Element {
  const rows = names.map((name) => {
    const value = columnOf(sample, name) ?? 0;
    const histogram = histograms.find(({ column }) => column === name);
    return { name, value, percentile: histogram === undefined ? null : percentileOf(histogram, value) };
  });
  return (
    <Table
      caption="Signals of the sample"
      columns={[
        { title: "Signal", cell: ({ name }) => inWords(name) },
        { title: "Value", isNumber: true, cell: ({ value }) => formatNumber(value) },
        { title: "Above", isNumber: true, cell: ({ percentile }) => formatShare(percentile) },
        {
          title: "Among the dataset",
          cell: ({ name, percentile }) => (
            <meter aria-label={`${inWords(name)}: part of the dataset below it`} value={percentile ?? 0} />
          ),
        },
      ]}
      rows={rows}
      keyOf={({ name }) => name}
    />
  );
}

/** For one logit, ‖∇ℓ‖ = |r| · ‖∇z‖: how wrong the model is, times how far its answer can move. */
function Factors({ sample }: { readonly sample: SampleAnswer }): JSX.Element | null {
  const norm = columnOf(sample, "grad_norm");
  const sensitivity = columnOf(sample, "sensitivity");
  const isOneLogit =
    sample.history === null || sample.history.checkpoints.every(({ logits }) => logits.length === 1);
  if (norm === null || sensitivity === null || sensitivity === 0 || !isOneLogit) return null;
  return (
    <p>
      The gradient of its loss is {formatNumber(norm)} long: |r| = {formatNumber(norm / sensitivity)}, how
      wrong the model is, times ‖∇z‖ = {formatNumber(sensitivity)}, how far a step can move its answer.
    </p>
  );
}

function History({ sample: { history } }: { readonly sample: SampleAnswer }): JSX.Element {
  const checkpoints = history?.checkpoints ?? [];
  const last = checkpoints.at(-1);
  const isDrawn = checkpoints.length > 1 && checkpoints.every(({ logits }) => logits.length === 1);
  return (
    <section class="panel">
      <h2>History</h2>
      {last === undefined && (
        <p>
          It was scored without a checkpoint, so it has no history. Send <code>checkpoint</code> with each
          batch.
        </p>
      )}
      {isDrawn && (
        <Chart
          label={`Logit by step, ${checkpoints.length} checkpoints, last ${formatNumber(last?.logits[0])}`}
          line="logit"
          xs={checkpoints.map(({ step }) => step)}
          ys={checkpoints.map(({ logits }) => logits[0] ?? null)}
          isTime={false}
        />
      )}
      {last !== undefined && (
        <Table
          caption="Logits by checkpoint"
          columns={[
            { title: "Checkpoint", cell: ({ name }) => name },
            { title: "Step", isNumber: true, cell: ({ step }) => step },
            { title: "Logits", isNumber: true, cell: ({ logits }) => logits.map(formatNumber).join(", ") },
          ]}
          rows={checkpoints}
          keyOf={({ name, step }) => `${step} ${name}`}
        />
      )}
      {history !== null && history.merged !== null && (
        <p class="hint">Only sums are kept of {history.merged.checkpoints} older checkpoints.</p>
      )}
    </section>
  );
}

/** The signals, extras and weight of the sample: its fields that are numbers, except the label. At most 16, as the API counts at once. */
function namesOf(sample: SampleAnswer): string[] {
  const signals = Object.keys(sample).filter((name) => name !== "label" && columnOf(sample, name) !== null);
  const extras = Object.keys(sample.extras).map((name) => `extras.${name}`);
  return [...signals, ...extras].slice(0, 16);
}

function wordsOf({ sample, dataset: { snapshot } }: Found, histograms: readonly Histogram[]): string[] {
  const signal = snapshot?.provenance.weighting?.signal;
  const value = signal === undefined ? null : columnOf(sample, signal);
  const histogram = histograms.find(({ column }) => column === signal);
  return wordsOfWeight({
    weight: sample.weight,
    later: sample.later === true,
    snapshot,
    value,
    percentile: histogram === undefined || value === null ? null : percentileOf(histogram, value),
  });
}

function factsOf(sample: SampleAnswer): Fact[] {
  const facts: Fact[] = [
    { name: "Label", value: labelText(sample.label) },
    { name: "Weight", value: formatNumber(sample.weight) },
    { name: "Loss", value: formatNumber(columnOf(sample, "loss")), note: inWords(sample.loss_name) },
    {
      name: "Scored",
      value: <span class="long">{formatTime(sample.scored_at)}</span>,
      note: sample.stale ? `${sample.model}, no longer served` : sample.model,
    },
  ];
  if (sample.source !== null) facts.push({ name: "Source", value: sample.source });
  return facts;
}
