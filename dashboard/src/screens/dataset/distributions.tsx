import type { JSX } from "preact";
import type { HistogramList } from "../../api/answers.js";
import { HistogramBars } from "../../parts/histogram.js";
import { State } from "../../parts/state.js";
import { useAnswer } from "../../use-answer.js";

interface DistributionsProps {
  readonly path: string;
  readonly columns: readonly string[];
  /** The link to the samples in the order of a column. */
  readonly linkOf: (column: string) => string;
}

/** A histogram of each column. Each is asked for by itself, so that the first shows while the service sorts the others. */
export function Distributions({ path, columns, linkOf }: DistributionsProps): JSX.Element {
  return (
    <section class="panel">
      <h2>Distributions</h2>
      <div class="histograms">
        {columns.map((column) => (
          <Distribution key={column} path={path} column={column} link={linkOf(column)} />
        ))}
      </div>
    </section>
  );
}

interface DistributionProps {
  readonly path: string;
  readonly column: string;
  readonly link: string;
}

function Distribution({ path, column, link }: DistributionProps): JSX.Element {
  const about = `${path}/histograms?column=${encodeURIComponent(column)}&bins=40`;
  const answer = useAnswer(about, (client, signal) => client.read<HistogramList>(about, signal));
  return (
    <State answer={answer} what={`Counting ${column}`}>
      {({ histograms: [histogram] }) =>
        histogram !== undefined && <HistogramBars histogram={histogram} link={link} />
      }
    </State>
  );
}
