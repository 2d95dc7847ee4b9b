import { SELECTION_DEFAULTS } from "../../../src/importance/selection/rules.js";
import { select } from "../../../src/importance/selection/select.js";
import {
  completed,
  type Selection,
  type SelectionColumns,
  type SelectionName,
  type SelectionRequest,
} from "../../../src/importance/selection/types.js";

/** A request with defaults for what is not given. */
export function requestOf(method: SelectionName, given: Partial<SelectionRequest> = {}): SelectionRequest {
  return { ...SELECTION_DEFAULTS, method, size: null, quotas: null, seed: 1, ...given };
}

/** Columns of as many samples as there are scores. */
export function columnsOf(
  scores: readonly number[],
  given: Partial<SelectionColumns> = {},
): SelectionColumns {
  return {
    count: scores.length,
    scores: Float64Array.from(scores),
    embeddings: null,
    strata: null,
    excluded: null,
    ...given,
  };
}

export function selected(request: SelectionRequest, columns: SelectionColumns): Selection {
  return completed(select(request, columns));
}

/** Rows of numbers as embeddings. */
export function embeddingsOf(rows: readonly (readonly number[])[]) {
  return { values: Float32Array.from(rows.flat()), width: rows[0]?.length ?? 0 };
}

/** Strata by the number of each sample. */
export function strataOf(numbers: readonly number[], count = Math.max(...numbers) + 1) {
  return { of: Uint32Array.from(numbers), count };
}
