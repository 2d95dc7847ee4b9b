/**
 * Runs every contender once a round, in another order each round, after one round that is not counted. A contender is
 * `(round) => Promise<number>`. Answers the measured values by name, in the order of the rounds.
 */
export async function interleave(rounds, contenders) {
  const entries = Object.entries(contenders);
  const values = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const [name, measure] = entries[(turn + round) % entries.length];
      const value = await measure(round);
      if (round > 0) values[name].push(value);
    }
  }
  return values;
}

/** Median, least and greatest of some numbers. */
export function spreadOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0], max: sorted.at(-1) };
}

/** Quantile of ascending numbers, linear between neighbours. */
export function quantile(sorted, share) {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at - Math.floor(at));
}

export const quantileOf = (values, share) =>
  quantile(
    values.toSorted((a, b) => a - b),
    share,
  );

/**
 * One line of the table and of the results. `against` is another contender's values of the same rounds: the ratio is taken
 * round by round, then its median.
 */
export function figure({ part, name, precision = null, unit, values, against, x }) {
  const ratios = against?.values.map((value, round) => values[round] / value);
  return {
    part,
    name,
    precision,
    unit,
    ...(x === undefined ? {} : { x }),
    ...spreadOf(values),
    values,
    ...(ratios === undefined ? {} : { ratio: { to: against.name, ...spreadOf(ratios), values: ratios } }),
    measured_at: new Date().toISOString(),
  };
}

/** Spearman's rank correlation; ties share their mean rank. */
export function spearman(a, b) {
  const [x, y] = [a, b].map(ranksOf);
  const mean = (x.length - 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) ** 2;
    yy += (y[i] - mean) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

function ranksOf(values) {
  const order = Array.from(values, (_, index) => index).sort((i, j) => values[i] - values[j]);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]] === values[order[from]]) to++;
    for (let at = from; at <= to; at++) ranks[order[at]] = (from + to) / 2;
    from = to + 1;
  }
  return ranks;
}
