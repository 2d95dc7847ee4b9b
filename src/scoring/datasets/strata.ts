import { faultsError } from "../../errors.js";
import type { Strata } from "../../importance/selection/types.js";
import type { DatasetIndex, Interned } from "../looks/dataset-index.js";
import type { StratifyBy } from "../requests/selection.js";

/** The strata of a dataset's samples, with their names. */
export interface NamedStrata extends Strata {
  /** (S) Null is the name of the samples without a class, group or source. */
  readonly names: readonly (string | null)[];
}

/** Most strata of a selection. Each takes up to 2 KB while the selection runs, and a line in its answer. */
const STRATA_MAX = 100_000;

/**
 * The strata of samples in the order of `rows`. The strata are in the order of their names (labels as numbers), those without one
 * first, so that they do not depend on the order in which a store gives the samples.
 *
 * Throws `unsuitable_selection` if there are too many.
 */
export function strataOf(index: DatasetIndex, rows: Uint32Array, by: StratifyBy): NamedStrata {
  const { of, names } = columnOf(index, by);
  const order = names
    .map((name, number) => ({ name, number }))
    .sort((a, b) => (by === "label" ? Number(a.name) - Number(b.name) : 0) || compared(a.name, b.name))
    .sort((a, b) => Number(a.name !== null) - Number(b.name !== null));
  if (order.length > STRATA_MAX)
    throw faultsError("unsuitable_selection", [
      {
        path: "/stratify_by",
        message: `${by} divides the samples into ${order.length} strata: at most ${STRATA_MAX} are possible`,
      },
    ]);
  const places = new Uint32Array(names.length);
  for (const [place, { number }] of order.entries()) places[number] = place;
  return {
    of: Uint32Array.from(rows, (row) => places[of[row] as number] as number),
    count: order.length,
    names: order.map(({ name }) => name),
  };
}

function columnOf(index: DatasetIndex, by: StratifyBy): Interned {
  if (by === "source") return { of: index.sources, names: index.sourceNames };
  if (by === "label") return labelsOf(index);
  if (index.groups === null) throw new RangeError("the index has no groups");
  return index.groups;
}

/** Each number that is a label has a name: the shortest decimal that is the same number. */
function labelsOf({ labels, count }: DatasetIndex): Interned {
  const numbers = new Map<number, number>();
  const of = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    const label = labels[row] as number;
    if (Number.isNaN(label)) continue;
    const number = numbers.get(label) ?? numbers.size + 1;
    numbers.set(label, number);
    of[row] = number;
  }
  return { of, names: [null, ...[...numbers.keys()].map(String)] };
}

/** By UTF-16 units, which no setting of the machine changes. */
function compared(a: string | null, b: string | null): number {
  const [first, second] = [a ?? "", b ?? ""];
  return first < second ? -1 : first > second ? 1 : 0;
}
