import { diverseTop } from "./active.js";
import type { Draws } from "./draws.js";
import { extremes } from "./extremes.js";
import { facilityLocation } from "./facility-location.js";
import { selectionFault } from "./faults.js";
import type { GeometricPool } from "./geometric-pool.js";
import { infobatch, takesEverything } from "./infobatch.js";
import { kCenter } from "./k-center.js";
import { poisson } from "./poisson.js";
import { type Random, randomOf } from "./random.js";
import { SELECTION_RULES } from "./rules.js";
import { sample } from "./sample.js";
import { allocate, strataMembers } from "./strata.js";
import {
  type Estimator,
  type Selection,
  type SelectionColumns,
  type SelectionRequest,
  type Steps,
  within,
} from "./types.js";

/**
 * Selects samples by any method of `SELECTION_RULES`. Each stratum is selected from by itself, with its own part of the size.
 * The same request, seed and columns give the same selection on every machine (for a `strength` that is not whole, with the same
 * JavaScript engine, because powers are not specified to the last digit).
 *
 * Multipliers. Let N be the candidates, and e_i = E[count_i] the expected count of sample i in its stratum: m_h p_i for `sample`
 * with m_h draws and probabilities p that sum to 1 in the stratum, π_i for `poisson`, and k_h/n_h or 1 for `infobatch`. Then Σ
 * counts_i x_i/(N e_i) has the expectation (1/N) Σ x_i whatever the sizes of the strata are. So multiplier_i = D/(N e_i), with
 * the divisor D = Σ_h m_h for `sample` and `poisson`, and D = N for `infobatch`. This is the stratified estimate Σ_h (N_h/N) ·
 * (estimate within h). In one stratum it is 1/(N p), (E[n]/N)/π and n/k.
 *
 * Memory: that of the method, plus 4 bytes a candidate and 1 to 2 KB a stratum that is not empty.
 *
 * @throws RangeError at the first step if `selectionFault` finds a fault. The caller must refuse such requests before
 */
export function* select(request: SelectionRequest, columns: SelectionColumns): Steps<Selection> {
  const fault = selectionFault(request, columns);
  if (fault !== null) throw new RangeError(`${fault.parameter}: ${fault.reason}`);
  yield 0;
  const { counts, membersOf } = strataMembers(columns);
  const candidates = counts.reduce((sum, count) => sum + count, 0);
  const asked = sizesOf(request, counts);
  const random = randomFor(request);
  const parts: Part[] = [];
  const draws: Draws[] = [];
  const sizes = new Float64Array(counts.length);
  let passed = 0;
  let neverDrawn = 0;
  for (const [stratum, count] of counts.entries()) {
    const size = asked === null ? count : (asked[stratum] as number);
    if (size === 0) {
      neverDrawn += count;
      continue;
    }
    const pool = { members: membersOf(stratum), size, random };
    const end = (passed + count) / candidates;
    const part = yield* within(passed / candidates, end, selectFrom(pool, request, columns));
    parts.push(part);
    sizes[stratum] = asked === null ? part.indices.length : size;
    if (part.draws !== null) {
      draws.push(part.draws);
      neverDrawn += part.draws.neverDrawn;
    }
    passed += count;
    yield end;
  }
  return {
    indices: concatenated(new Uint32Array(lengthOf(parts)), parts, ({ indices }) => indices),
    estimator: SELECTION_RULES[request.method].multipliers
      ? estimatorOf(request, draws, { candidates, sizes, neverDrawn })
      : null,
    candidates,
    sizes,
    outliers: parts.reduce((sum, { outliers }) => sum + outliers, 0),
  };
}

/** What was selected from one stratum. */
interface Part {
  readonly indices: Uint32Array;
  /** Null if the method gives no multipliers. */
  readonly draws: Draws | null;
  readonly outliers: number;
}

interface Pool {
  /** (n) Indices, ascending, n ≥ 1. */
  readonly members: Uint32Array;
  /** At least 1. */
  readonly size: number;
  readonly random: Random;
}

/** (S) The size of each stratum; null if the scores decide it. */
function sizesOf({ method, size, quotas }: SelectionRequest, counts: Uint32Array): Uint32Array | null {
  if (quotas !== null) return Uint32Array.from(quotas);
  return size === null ? null : allocate(size, counts, SELECTION_RULES[method].multipliers);
}

/** Each epoch of `infobatch` has its own stream, or every epoch would leave out the same samples. */
function randomFor({ method, seed, epoch }: SelectionRequest): Random {
  return method === "infobatch" && epoch !== null ? randomOf(seed, epoch) : randomOf(seed);
}

function* selectFrom(pool: Pool, request: SelectionRequest, columns: SelectionColumns): Steps<Part> {
  const { members, size, random } = pool;
  const { strength } = request;
  switch (request.method) {
    case "top":
    case "bottom":
      return plain(extremes(members, scoresOf(columns), size, request.method));
    case "sample":
      return drawn(yield* sample(members, scoresOf(columns), size, random));
    case "poisson":
      return drawn(yield* poisson(members, scoresOf(columns), size, random));
    case "infobatch":
      return drawn(infobatch(members, scoresOf(columns), pruneOf(request), random));
    case "k_center": {
      const { indices, outliers } = yield* kCenter(
        geometric(pool, strength, columns),
        size,
        request.outliers,
        random,
      );
      return { indices, draws: null, outliers };
    }
    case "facility_location":
      return plain(yield* facilityLocation(geometric(pool, strength, columns), size, random));
    case "active": {
      const scores = scoresOf(columns);
      if (!request.diverse) return plain(extremes(members, scores, size, "top"));
      return plain(yield* diverseTop(geometric(pool, strength, columns), scores, size, random));
    }
  }
}

function pruneOf({ prune, epoch, epochs }: SelectionRequest): number {
  return epoch !== null && epochs !== null && takesEverything(epoch, epochs) ? 0 : prune;
}

function plain(indices: Uint32Array): Part {
  return { indices, draws: null, outliers: 0 };
}

function drawn(draws: Draws): Part {
  return { indices: draws.indices, draws, outliers: 0 };
}

function scoresOf({ scores }: SelectionColumns): Float64Array {
  if (scores === null) throw new RangeError("scores: there are none");
  return scores;
}

function geometric(
  { members }: Pool,
  strength: number,
  { embeddings, scores }: SelectionColumns,
): GeometricPool {
  if (embeddings === null) throw new RangeError("embeddings: there are none");
  return { members, embeddings, scores, strength };
}

interface Totals {
  readonly candidates: number;
  readonly sizes: Float64Array; // (S)
  readonly neverDrawn: number;
}

function estimatorOf(
  { method }: SelectionRequest,
  draws: readonly Draws[],
  { candidates, sizes, neverDrawn }: Totals,
): Estimator {
  const count = lengthOf(draws);
  const expected = concatenated(new Float64Array(count), draws, (part) => part.expected);
  const asked = sizes.reduce((sum, size) => sum + size, 0);
  const divisor = method === "infobatch" ? candidates : asked;
  return {
    counts: concatenated(new Uint32Array(count), draws, (part) => part.counts),
    probabilities: method === "sample" ? expected.map((e) => e / asked) : expected,
    multipliers: expected.map((e) => divisor / candidates / e),
    divisor,
    neverDrawn,
  };
}

function lengthOf(parts: readonly { readonly indices: Uint32Array }[]): number {
  return parts.reduce((sum, { indices }) => sum + indices.length, 0);
}

function concatenated<P, Column extends Uint32Array | Float64Array>(
  column: Column,
  parts: readonly P[],
  valuesOf: (part: P) => Column,
): Column {
  let at = 0;
  for (const part of parts) {
    const values = valuesOf(part);
    column.set(values, at);
    at += values.length;
  }
  return column;
}
