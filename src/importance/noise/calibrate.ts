import { indexAt, type Sorted } from "../sorted.js";
import { fitIsotonic, isotonicAt } from "./isotonic.js";

/** Parts of a cross-fit. */
export const FOLDS = 5;

/**
 * Cross-fitted calibration: the chance that each sample is labelled 1, given its score. The line of a fold is fitted to the other
 * folds, so a sample's own label does not tell what its label should be.
 *
 * @param scores (N)
 * @param order the same, sorted
 * @param labels (N) observed, 0 or 1
 * @param foldOf (N) from 0 to `FOLDS` − 1; a group lies in one fold
 * @returns (N) from 0 to 1, in the order of the scores
 */
export function calibrateLabels(
  scores: Float64Array,
  order: Sorted,
  labels: Uint8Array,
  foldOf: Uint8Array,
): Float64Array {
  const calibrated = new Float64Array(scores.length);
  for (let fold = 0; fold < FOLDS; fold++) {
    const others = foldOf.reduce((count, each) => count + (each === fold ? 0 : 1), 0);
    if (others === 0 || others === scores.length) continue;
    const ascending = new Float64Array(others);
    const targets = new Float64Array(others);
    let at = 0;
    for (let place = 0; place < order.count; place++) {
      const row = indexAt(order, place);
      if (foldOf[row] === fold) continue;
      ascending[at] = scores[row] as number;
      targets[at] = labels[row] as number;
      at++;
    }
    const line = fitIsotonic(ascending, targets);
    for (let row = 0; row < scores.length; row++)
      if (foldOf[row] === fold) calibrated[row] = isotonicAt(line, scores[row] as number);
  }
  return calibrated;
}
