import { namesOf, rangeMissed } from "../weigh-options.js";
import { scaleOf } from "./projection.js";
import { SELECTION_NUMBERS, SELECTION_RULES, SIZE_MAX } from "./rules.js";
import { strataMembers } from "./strata.js";
import type { Embeddings, SelectionColumns, SelectionRequest } from "./types.js";

/** Why a selection is not possible: the parameter or column, and what to do. */
export interface SelectionFault {
  readonly parameter: string;
  readonly reason: string;
}

/** The first fault of a request about these columns; null if `select` can answer it. */
export function selectionFault(request: SelectionRequest, columns: SelectionColumns): SelectionFault | null {
  const { counts } = strataMembers(columns);
  if (counts.every((count) => count === 0)) {
    return fault("excluded", "no sample is left to select: exclude fewer samples");
  }
  return (
    optionFault(request) ??
    epochFault(request) ??
    (request.quotas === null ? sizeFault(request, counts) : quotasFault(request, columns, counts)) ??
    scoresFault(request, columns) ??
    embeddingsFault(request, columns)
  );
}

/** The request reads scores. */
export function readsScores({ method, strength }: SelectionRequest): boolean {
  return SELECTION_RULES[method].scores !== "with_strength" || strength > 0;
}

/** The request reads embeddings. */
export function readsEmbeddings({ method, diverse }: SelectionRequest): boolean {
  const { embeddings } = SELECTION_RULES[method];
  return embeddings === "always" || (embeddings === "with_diverse" && diverse);
}

function optionFault(request: SelectionRequest): SelectionFault | null {
  for (const name of namesOf(SELECTION_NUMBERS)) {
    const value = request[name];
    const missed = value === null ? null : rangeMissed(value, SELECTION_NUMBERS[name]);
    if (missed !== null) return fault(name, `${value} is not ${missed}`);
  }
  return null;
}

function epochFault({ method, epoch, epochs }: SelectionRequest): SelectionFault | null {
  if (method !== "infobatch") return null;
  if (epoch === null && epochs !== null) return fault("epoch", "epochs is set: set epoch too, from 0");
  if (epoch === null || epochs === null || epoch < epochs) return null;
  return fault("epoch", `epoch ${epoch} is not below epochs ${epochs}: epochs count from 0`);
}

function sizeFault({ method, size }: SelectionRequest, counts: Uint32Array): SelectionFault | null {
  const rule = SELECTION_RULES[method];
  if (rule.size === "none") {
    if (size === null) return null;
    return fault("size", `${method} takes no size, because the scores decide it: set prune`);
  }
  if (size === null) return fault("size", `${method} needs a size or quotas`);
  if (!Number.isInteger(size) || size < 1 || size > SIZE_MAX) {
    return fault("size", `${size} is not a whole number from 1 to ${SIZE_MAX}`);
  }
  const candidates = counts.reduce((sum, count) => sum + count, 0);
  if (rule.size === "samples" && size > candidates) {
    return fault("size", `${size} is more than the ${candidates} samples to select from`);
  }
  const strata = counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  if (rule.multipliers && size < strata) {
    return fault("size", `${size} is less than the ${strata} strata: an estimate needs one sample of each`);
  }
  return null;
}

function quotasFault(
  { method, size, quotas }: SelectionRequest,
  { strata }: SelectionColumns,
  counts: Uint32Array,
): SelectionFault | null {
  if (quotas === null) return null;
  const rule = SELECTION_RULES[method];
  if (rule.size === "none") return fault("quotas", `${method} takes no quotas: set prune`);
  if (size !== null) return fault("size", "quotas are set: leave size out");
  if (strata === null) return fault("quotas", "quotas need strata: name a class, group or source");
  if (quotas.length !== counts.length) {
    return fault(
      "quotas",
      `there are ${quotas.length} quotas and ${counts.length} strata: give one quota for each`,
    );
  }
  for (const [stratum, quota] of quotas.entries()) {
    const there = counts[stratum] as number;
    if (!Number.isInteger(quota) || quota < 0 || quota > SIZE_MAX) {
      return fault("quotas", `${quota}, of stratum ${stratum}, is not a whole number from 0 to ${SIZE_MAX}`);
    }
    if (quota > there && (rule.size === "samples" || there === 0)) {
      return fault("quotas", `${quota} is more than the ${there} samples of stratum ${stratum}`);
    }
  }
  if (quotas.every((quota) => quota === 0)) return fault("quotas", "every quota is 0: set one above 0");
  return null;
}

function scoresFault(request: SelectionRequest, columns: SelectionColumns): SelectionFault | null {
  const { scores, excluded, count } = columns;
  if (!readsScores(request)) return null;
  if (scores === null) return fault("scores", `${request.method} reads scores: name a signal or weights`);
  if (scores.length !== count) return fault("scores", `there are ${scores.length}, not ${count}`);
  const nonNegative = SELECTION_RULES[request.method].scores === "non_negative" || request.strength > 0;
  for (let index = 0; index < count; index += 1) {
    if (excluded?.[index] === 1) continue;
    const score = scores[index] as number;
    if (!Number.isFinite(score)) {
      return fault("scores", `sample ${index} has no finite score: exclude samples without one`);
    }
    if (nonNegative && score < 0) {
      return fault(
        "scores",
        `sample ${index} has the score ${score}: ${request.method} needs scores of at least 0`,
      );
    }
  }
  return null;
}

function embeddingsFault(request: SelectionRequest, columns: SelectionColumns): SelectionFault | null {
  const { embeddings, excluded, count } = columns;
  if (!readsEmbeddings(request)) return null;
  if (embeddings === null) {
    return fault(
      "embeddings",
      `${request.method} reads embeddings: let the dataset keep them and score again`,
    );
  }
  const { values, width, scales } = embeddings;
  if (width < 1 || values.length !== count * width) {
    return fault("embeddings", `${values.length} values are not ${count} rows of ${width}`);
  }
  if (scales !== undefined && scales.length !== count) {
    return fault("embeddings", `there are ${scales.length} scales, not ${count}`);
  }
  for (let index = 0; index < count; index += 1) {
    if (excluded?.[index] === 1 || isFiniteRow(embeddings, index)) continue;
    return fault("embeddings", `the embedding of sample ${index} is not finite: exclude the sample`);
  }
  return null;
}

function isFiniteRow(embeddings: Embeddings, index: number): boolean {
  if (!Number.isFinite(scaleOf(embeddings, index))) return false;
  const { values, width } = embeddings;
  if (values instanceof Int8Array) return true;
  for (let at = index * width; at < (index + 1) * width; at += 1) {
    if (!Number.isFinite(values[at] as number)) return false;
  }
  return true;
}

function fault(parameter: string, reason: string): SelectionFault {
  return { parameter, reason };
}
