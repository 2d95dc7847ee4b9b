import type { JSX } from "preact";
import type { Histogram } from "../api/answers.js";
import { formatCount, formatNumber, inWords } from "../format.js";

interface HistogramProps {
  readonly histogram: Histogram;
  /** Shows the samples in the order of the column. */
  readonly link: string;
}

const WIDTH = 240;
const HEIGHT = 64;

/** The bins of one column as bars. */
export function HistogramBars({ histogram, link }: HistogramProps): JSX.Element {
  const { column, count, missing, edges, counts, mean, quantiles } = histogram;
  const most = Math.max(1, ...counts);
  const width = WIDTH / Math.max(1, counts.length);
  const median = formatNumber(quantiles["50"]);
  const name = inWords(column);
  return (
    <figure class="histogram">
      <figcaption>
        <a href={link}>{name}</a>
        <span class="hint">
          median {median}, mean {formatNumber(mean)}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${name}: ${formatCount(count)} samples from ${formatNumber(edges[0])} to ${formatNumber(edges.at(-1))}, median ${median}`}
      >
        {counts.map((samples, bin) => {
          const [min = 0, max = 0] = [edges[bin], edges[bin + 1]];
          const height = samples === 0 ? 0 : Math.max(1.5, (samples / most) * HEIGHT);
          return (
            <g key={min}>
              <title>
                {formatNumber(min)} to {formatNumber(max)}: {formatCount(samples)} samples
              </title>
              <rect class="hit" x={bin * width} y={0} width={width} height={HEIGHT} />
              <rect
                class="bar"
                x={bin * width + 0.4}
                y={HEIGHT - height}
                width={Math.max(0.4, width - 0.8)}
                height={height}
              />
            </g>
          );
        })}
      </svg>
      <div class="ends hint">
        <span>{formatNumber(edges[0])}</span>
        {missing > 0 && <span>{formatCount(missing)} without</span>}
        <span>{formatNumber(edges.at(-1))}</span>
      </div>
    </figure>
  );
}
