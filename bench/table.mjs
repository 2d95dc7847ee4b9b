const HEADER = ["part", "precision", "what", "median", "min–max", "unit", "ratio", "min–max", "to"];
const NUMBERS = new Set([3, 4, 6, 7]);

/** All figures as one Markdown table, columns aligned. */
export function tableOf(figures) {
  const rows = [HEADER, ...figures.map(rowOf)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell, column) =>
    NUMBERS.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]);
  const line = (cells) => `| ${cells.map(pad).join(" | ")} |`;
  const rule = widths.map((width, column) => `${"-".repeat(width - 1)}${NUMBERS.has(column) ? ":" : "-"}`);
  return [line(rows[0]), line(rule), ...rows.slice(1).map(line)].join("\n");
}

function rowOf({ part, precision, name, median, min, max, unit, ratio }) {
  const [sign, span] =
    ratio === undefined
      ? ["", ""]
      : [ratio.median.toFixed(2), `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`];
  const range = min === max ? "" : `${short(min)}–${short(max)}`;
  return [part, precision ?? "", name, short(median), range, unit, sign, span, ratio?.to ?? ""];
}

/** Three digits, or all of a large number's. */
function short(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(value > 0.99 && value < 1 ? 4 : 3);
}
