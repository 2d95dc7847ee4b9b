import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Histogram } from "../api/answers.js";
import { formatNumber, inWords } from "../format.js";

interface DensityMapProps {
  readonly x: Histogram;
  readonly y: Histogram;
  /** (bins, bins) Counts, a row for each bin of y from the lowest. */
  readonly map: readonly (readonly number[])[];
}

const SIZE_PX = 360;

/** The samples by two columns, as the service counted them: the more samples, the stronger the colour, on a log scale. */
export function DensityMap({ x, y, map }: DensityMapProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const paint = (): void => paintMap(element, map);
    paint();
    const themes = new MutationObserver(paint);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => themes.disconnect();
  }, [map]);
  return (
    <figure class="map">
      <div class="plot">
        <span class="y hint">{inWords(y.column)} →</span>
        <canvas
          ref={canvas}
          width={SIZE_PX}
          height={SIZE_PX}
          role="img"
          aria-label={`Map of ${inWords(y.column)}, median ${formatNumber(y.quantiles["50"])}, over ${inWords(x.column)}, median ${formatNumber(x.quantiles["50"])}`}
        />
        <span class="x hint">
          <span>{formatNumber(x.edges[0])}</span>
          <span>{inWords(x.column)} →</span>
          <span>{formatNumber(x.edges.at(-1))}</span>
        </span>
      </div>
    </figure>
  );
}

function paintMap(canvas: HTMLCanvasElement, map: readonly (readonly number[])[]): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, SIZE_PX, SIZE_PX);
  context.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent").trim();
  const most = Math.max(1, ...map.flat());
  const cell = SIZE_PX / Math.max(1, map.length);
  map.forEach((row, line) => {
    row.forEach((samples, column) => {
      if (samples === 0) return;
      context.globalAlpha = 0.25 + (0.75 * Math.log1p(samples)) / Math.log1p(most);
      context.fillRect(column * cell, SIZE_PX - (line + 1) * cell, cell - 0.5, cell - 0.5);
    });
  });
  context.globalAlpha = 1;
}
