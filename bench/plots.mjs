const WIDTH = 750;
const HEIGHT = 300;
const EDGE = { left: 58, right: 250, top: 34, bottom: 44 };
const COLOURS = {
  "ours, fp32": "#1b6ca8",
  "bare session, fp32": "#8fbfe0",
  "ours, int8": "#c2571a",
  "bare session, int8": "#eab08a",
  "completed batches": "#1b6ca8",
  "the share alone": "#8fbfe0",
  "estimates as they are": "#c2571a",
};

/** The plots of a results file: name → SVG. Points are medians, bars the least and greatest repetition. */
export function plotsOf(figures) {
  const drawn = [
    ["batch-size", "sweep: batch size", "samples a request", "pairs/s"],
    ["length", "sweep: length", "tokens of a pair", "pairs/s"],
    ["concurrency", "sweep: concurrency", "requests of 16 pairs at once", "pairs/s"],
    ["cache-hits", "sweep: cache hits", "share of 256 samples that is cached", "ms a request"],
    ["token-budget", "sweep: token budget", "padded tokens of a batch", "pairs/s"],
  ];
  return Object.fromEntries(
    drawn.flatMap(([file, part, x, y]) => {
      const lines = linesOf(figures.filter((figure) => figure.part === part));
      return lines.length === 0 ? [] : [[file, svgOf({ title: `${y} by ${x}`, x, y, lines })]];
    }),
  );
}

/** One line for ours and the bare session at each precision. */
function linesOf(figures) {
  const lines = new Map();
  for (const { name, precision, x, median, min, max } of figures) {
    const label = `${name.startsWith("bare") ? "bare session" : "ours"}, ${precision}`;
    if (!lines.has(label)) lines.set(label, []);
    lines.get(label).push({ x, median, min, max });
  }
  return [...lines].map(([label, points]) => ({ label, points: points.sort((a, b) => a.x - b.x) }));
}

/** Lines over x, each point a median between two bounds; labels are those of COLOURS. */
export function svgOf({ title, x, y, lines }) {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  // Sizes double from one to the next; shares start at zero and do not.
  const place = xs[0] > 0 ? Math.log2 : (value) => value;
  const [from, to] = [place(xs[0]), place(xs.at(-1))];
  const step = stepOf(Math.max(...points.map((point) => point.max)));
  const top = step * Math.ceil(Math.max(...points.map((point) => point.max)) / step);
  const inner = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  const left = (value) => round(EDGE.left + ((place(value) - from) / (to - from || 1)) * inner.width);
  const down = (value) => round(EDGE.top + (1 - value / top) * inner.height);

  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  const grid = ticks.flatMap((tick) => [
    `<path class="grid" d="M${EDGE.left} ${down(tick)}H${EDGE.left + inner.width}"/>`,
    `<text x="${EDGE.left - 8}" y="${down(tick) + 4}" text-anchor="end">${tick}</text>`,
  ]);
  const names = xs.map(
    (value) =>
      `<text x="${left(value)}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle">${value}</text>`,
  );
  const drawn = lines.flatMap(({ label, points: own }, index) => {
    const colour = COLOURS[label];
    const last = own.at(-1);
    return [
      `<path fill="none" stroke="${colour}" stroke-width="2" d="M${own.map((point) => `${left(point.x)} ${down(point.median)}`).join("L")}"/>`,
      ...own.map(
        (point) =>
          `<path stroke="${colour}" d="M${left(point.x)} ${down(point.min)}V${down(point.max)}"/><circle cx="${left(point.x)}" cy="${down(point.median)}" r="3" fill="${colour}"/>`,
      ),
      `<path stroke="${colour}" stroke-width="2" d="M${EDGE.left + inner.width + 14} ${EDGE.top + 8 + index * 18}h18"/>`,
      `<text x="${EDGE.left + inner.width + 38}" y="${EDGE.top + 12 + index * 18}">${label}: ${short(last.median)} at ${last.x}</text>`,
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>${title}</title>
<style>text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}</style>
<rect width="100%" height="100%" fill="#fff"/>
${[...grid, ...names, ...drawn].join("\n")}
<text x="${EDGE.left}" y="18">${y}</text>
<text x="${EDGE.left + inner.width / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x}</text>
</svg>
`;
}

/** A round step that divides the axis into four to eight. */
function stepOf(max) {
  const rough = max / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

const round = (value) => Math.round(value * 10) / 10;
const short = (value) => (value >= 10 ? value.toFixed(0) : value.toPrecision(2));
