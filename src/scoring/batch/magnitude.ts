import type { Fault } from "../../errors.js";
import type { SignalColumns } from "../datasets/columns.js";
import { throwFaults } from "../requests/checks.js";

/**
 * Throws `unsuitable_signal` with each sample's signal that is no finite float32, in which a dataset remembers signals: a huge
 * label, learning rate or direction makes one. It could be neither answered as JSON nor weighed.
 */
export function checkMagnitude(columns: SignalColumns): void {
  const faults: Fault[] = [];
  for (const [name, column] of columns) {
    // By index: an iterator of entries would make a pair for every signal of every request.
    for (let index = 0; index < column.length; index++) {
      const value = column[index] as number | null;
      if (value !== null && !Number.isFinite(Math.fround(value)))
        faults.push({
          path: `/samples/${index}`,
          message: `${name} comes to ${value}, which is no finite float32`,
        });
    }
  }
  throwFaults("unsuitable_signal", faults);
}
