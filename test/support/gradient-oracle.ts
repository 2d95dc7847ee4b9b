import { readFileSync } from "node:fs";
import type { Text } from "../../src/ranker/port.js";
import { expand, type OracleText, readOracle } from "./oracle.js";

/** What test/oracle/gradients.py says of the shipped model, by autograd in float64. ℓ is `bce`, v a direction. */
export interface GradientOracle {
  readonly weights_sha256: string;
  readonly directions: Readonly<Record<"loss_gradient" | "mean_direction", OracleDirection>>;
  readonly cases: readonly GradientCase[];
}

export interface GradientCase {
  readonly id: string;
  readonly query: string;
  /** Null for a single text, `query`. */
  readonly document: string | null;
  readonly label: 0 | 1;
  readonly logit: number;
  readonly features_squared: number;
  /** ‖∇z‖². */
  readonly gram: number;
  /** ⟨∇z, v⟩ and ⟨∇ℓ, v⟩, v = loss_gradient. */
  readonly tangent: number;
  readonly influence: number;
  /** ⟨∇z, v⟩ and cos(∇ℓ, v), v = mean_direction. */
  readonly tangent_mean: number;
  readonly alignment: number;
}

export interface OracleDirection {
  /** Ids of its samples, or all of them. */
  readonly of: readonly string[] | "all cases";
  readonly norm: number;
  /** By parameter, in the manifest's order, its norm and its projections on signs. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
}

/** The fixture, with the texts that it shares with pairs.jsonl put in. */
export function readGradientOracle(): GradientOracle {
  const oracle = readOracle<Omit<GradientOracle, "cases"> & { cases: readonly StoredCase[] }>("gradients");
  const lines = readFileSync(new URL("../fixtures/pairs.jsonl", import.meta.url), "utf8")
    .trimEnd()
    .split("\n");
  const pairs = new Map(lines.map((line) => JSON.parse(line) as StoredCase).map((pair) => [pair.id, pair]));
  const cases = oracle.cases.map((stored) => {
    const { text, query, document } = pairs.get(stored.id) ?? stored;
    return text === undefined
      ? { ...stored, query: expand(query as OracleText), document: expand(document as OracleText) }
      : { ...stored, query: expand(text), document: null };
  });
  return { ...oracle, cases };
}

type StoredCase = Omit<GradientCase, "query" | "document"> &
  Readonly<Partial<Record<"text" | "query" | "document", OracleText>>>;

export const textOf = ({ query, document }: GradientCase): Text => ({ first: query, second: document });

/** ∂ℓ/∂z. */
export const residualOf = ({ logit, label }: GradientCase): number => 1 / (1 + Math.exp(-logit)) - label;

/** The samples behind a direction. */
export function casesOf({ cases }: GradientOracle, { of }: OracleDirection): readonly GradientCase[] {
  return of === "all cases" ? cases : cases.filter(({ id }) => of.includes(id));
}

/**
 * How far a vector is from the oracle's, ‖e‖/‖v‖, without the oracle's vector: (s·e)² has the mean ‖e‖² over random signs
 * s, so the root of the squared differences of the projections estimates ‖e‖. Also by parameter, the largest difference
 * of a projection relative to the parameter's norm, or to a thousandth of ‖v‖ where that is larger.
 */
export function errorOf(
  vector: Float32Array, // all parameters, in the order of `direction`
  direction: OracleDirection,
  sizes: Readonly<Record<string, number>>, // elements by parameter
): { readonly whole: number; readonly worst: number; readonly parameter: string } {
  let [offset, squares, worst, parameter] = [0, 0, 0, ""];
  for (const [name, [norm, ...projections]] of Object.entries(direction.parameters)) {
    const values = vector.subarray(offset, offset + (sizes[name] as number));
    offset += values.length;
    const differences = project(values, projections.length).map(
      (value, j) => value - (projections[j] as number),
    );
    squares += differences.reduce((sum, difference) => sum + difference ** 2, 0) / projections.length;
    const largest = Math.max(...differences.map(Math.abs)) / Math.max(norm as number, direction.norm / 1000);
    if (largest >= worst) [worst, parameter] = [largest, name];
  }
  if (offset !== vector.length) throw new Error(`${vector.length} numbers, and the oracle has ${offset}`);
  return { whole: Math.sqrt(squares) / direction.norm, worst, parameter };
}

/** Projections on `count` rows of signs: bit 31 − j of a hash of the place, as `signs` of gradients.json says. */
function project(values: Float32Array, count: number): number[] {
  const sums = new Float64Array(count);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value === 0) continue;
    let x = Math.imul(i, 0x9e3779b1);
    x ^= x >>> 15;
    x = Math.imul(x, 0x85ebca77);
    x ^= x >>> 13;
    for (let j = 0; j < count; j++) sums[j] = (sums[j] as number) + ((x >>> (31 - j)) & 1 ? -value : value);
  }
  return [...sums];
}
