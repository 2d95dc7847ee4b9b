export type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly labels: Labels;
  readonly value: number;
}

/** The series of each metric by its name. */
export type Metrics = ReadonlyMap<string, readonly Series[]>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the Prometheus text format (version 0.0.4). Comments are passed over; a line that is not a series is a SyntaxError. */
export function readMetrics(text: string): Metrics {
  const metrics = new Map<string, Series[]>();
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new SyntaxError(`Not a metric: ${line}`);
    const series = metrics.get(name) ?? [];
    metrics.set(name, series);
    series.push({ labels: readLabels(labels), value: readValue(value) });
  }
  return metrics;
}

/** Sum of a metric over the series that have all of `labels`. */
export function total(metrics: Metrics, name: string, labels: Labels = {}): number {
  return (metrics.get(name) ?? [])
    .filter((series) => has(series.labels, labels))
    .reduce((sum, { value }) => sum + value, 0);
}

/** The values that a label of a metric has, in the order of their first series. */
export function valuesOf(metrics: Metrics, name: string, label: string): string[] {
  const values = (metrics.get(name) ?? []).flatMap(({ labels }) => labels[label] ?? []);
  return [...new Set(values)];
}

/**
 * The quantile of what a histogram counted from `before` to `after`, interpolated within its bucket as Prometheus'
 * `histogram_quantile` does. In the last, open bucket it is that bucket's lower bound. Null if nothing was counted.
 */
export function quantileOf(
  before: Metrics | null,
  after: Metrics,
  histogram: { readonly name: string; readonly labels: Labels },
  quantile: number,
): number | null {
  const name = `${histogram.name}_bucket`;
  const buckets = valuesOf(after, name, "le")
    .map((le) => {
      const labels = { ...histogram.labels, le };
      const earlier = before === null ? 0 : total(before, name, labels);
      return { bound: readValue(le), count: total(after, name, labels) - earlier };
    })
    .sort((a, b) => a.bound - b.bound);
  const wanted = quantile * (buckets.at(-1)?.count ?? 0);
  if (wanted <= 0) return null;
  let lower = { bound: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= wanted) {
      if (bucket.bound === Number.POSITIVE_INFINITY) return lower.bound;
      const part = (wanted - lower.count) / (bucket.count - lower.count);
      return lower.bound + part * (bucket.bound - lower.bound);
    }
    lower = bucket;
  }
  return null;
}

function has(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function readLabels(text: string): Labels {
  const pairs = [...text.matchAll(LABEL)].map(([, name = "", value = ""]) => [name, unescaped(value)]);
  return Object.fromEntries(pairs);
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

/** `Number` reads no `+Inf`. */
function readValue(text: string): number {
  const infinite = /^([+-]?)Inf$/.exec(text);
  if (infinite === null) return Number(text);
  return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
