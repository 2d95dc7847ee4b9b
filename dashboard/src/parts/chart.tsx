import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

interface ChartProps {
  /** What the chart shows, for who does not see it. */
  readonly label: string;
  /** Title of the line, with its unit. */
  readonly line: string;
  readonly xs: readonly number[];
  readonly ys: readonly (number | null)[];
  /** Whether x is a time in seconds since 1970. */
  readonly isTime: boolean;
}

const HEIGHT_PX = 150;
/** How much time is shown. */
const SPAN_S = 120;

/** One line over time or steps. */
export function Chart({ label, line, xs, ys, isTime }: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [[...xs], [...ys]];
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, line, isTime), newest.current, element);
    };
    make();
    // The canvas takes its colours when it is made.
    const themes = new MutationObserver(make);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const sizes = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    sizes.observe(element);
    return () => {
      themes.disconnect();
      sizes.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [line, isTime]);

  useEffect(() => plot.current?.setData(data));

  return <div class="chart" ref={box} role="img" aria-label={label} />;
}

function optionsOf(element: HTMLElement, line: string, isTime: boolean): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: isTime, ...(isTime && { range: (_, _least, most) => [most - SPAN_S, most] }) },
      y: { range: (_, least, most) => rangeOf(least, most, isTime) },
    },
    axes: [
      isTime ? { ...axis, space: 90, values: (_, times) => times.map(clockOf) } : axis,
      { ...axis, size: 56 },
    ],
    series: [{}, { label: line, stroke: colour("--accent"), width: 2, points: { show: !isTime } }],
  };
}

/** A time of day in UTC, as all times of the dashboard. */
function clockOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 19);
}

/** What is counted over time begins at 0. */
function rangeOf(least: number, most: number, fromZero: boolean): [number, number] {
  if (fromZero) return [0, most > 0 ? most * 1.1 : 1];
  const margin = (most - least) * 0.1 || 1;
  return [least - margin, most + margin];
}
