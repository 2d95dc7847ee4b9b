import { valuesAt } from "./positions.js";
import type { Embeddings } from "./types.js";

/** What the geometric methods select from. */
export interface GeometricPool {
  /** (n) Indices, ascending, n ≥ 1. */
  readonly members: Uint32Array;
  readonly embeddings: Embeddings;
  /** (N) Read only if `strength` is above 0, and then at least 0 for members. */
  readonly scores: Float64Array | null;
  /** Diversity is multiplied by score^strength. */
  readonly strength: number;
}

/**
 * (n) score^strength, relative to the members' largest score, so that nothing overflows. Null if all are equal: strength is 0, or
 * every score is 0, as in `weigh`. A score of 0 among others above 0 has the worth 0, and is chosen only after all of them.
 */
export function worthsOf({ members, scores, strength }: GeometricPool): Float64Array | null {
  if (strength === 0 || scores === null) return null;
  const own = valuesAt(scores, members);
  const peak = own.reduce((a, b) => Math.max(a, b));
  return peak === 0 ? null : own.map((score) => (score / peak) ** strength);
}
