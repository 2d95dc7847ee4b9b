/** Items per second of each time. */
export function perSecond(items, timesMs) {
  return timesMs.map((ms) => (1000 * items) / ms);
}

/** Median and, in brackets, the smallest and the largest. */
export function spread(values, digits) {
  const ascending = [...values].sort((a, b) => a - b);
  const at = (ascending.length - 1) / 2;
  const median = (ascending[Math.floor(at)] + ascending[Math.ceil(at)]) / 2;
  return `${median.toFixed(digits)} (${ascending[0].toFixed(digits)}–${ascending.at(-1).toFixed(digits)})`;
}
