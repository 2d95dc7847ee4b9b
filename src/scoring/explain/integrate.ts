import { gaussLegendre, integratedGradients, integratedLossGradients } from "../../importance/attribution.js";
import { rowOf } from "../../importance/loss-gradients.js";
import type { Caller, Ranker, Token } from "../../ranker/port.js";
import type { Explained, ExplainedPiece, Question } from "./explain.js";

/** Gradients at points on the straight way from the baseline to the text. */
export interface IntegratedWay {
  /** (K) The logits of the baseline. */
  readonly baselineLogits: readonly number[];
  readonly points: number;
  /** The largest difference, over the explained classes, between the tokens' sum and the logit's change from the baseline. */
  readonly residual: number;
  /** Whether each of these differences is at most 2% of the change, or 0.01. */
  readonly converged: boolean;
}

/** Points of the rule, more each time, until the tokens account for the change of the logits. */
const POINTS = [16, 32, 64, 128, 256, 400];

const RELATIVE_MAX = 0.02;
const ABSOLUTE_MAX = 0.01;

/** Most gradients of a token that one run answers: 16 MB. */
const VALUES_MAX = 2 ** 22;

/**
 * Integrated gradients of a text's tokens (Sundararajan et al. 2017), from a baseline that has padding in place of every token but
 * the special ones. Throws as `Ranker.attribute` does.
 */
export async function integrateTokens(
  ranker: Ranker,
  question: Question,
  caller: Caller,
): Promise<Explained> {
  const { classes: K, tokensMax } = ranker.model;
  const tokens = await ranker.tokens(question.text);
  const ends = await ranker.attribute(question.text, tokens, [0, 1], caller);
  const [baseline, logits] = [Array.from(rowOf(ends.logits, 0, K)), Array.from(rowOf(ends.logits, 1, K))];
  const atOnce = Math.max(1, Math.floor(VALUES_MAX / (K * tokensMax)));
  const end = question.lossAt?.(ends.logits)[1] ?? null;

  let integrated = await integrate(POINTS[0] as number);
  for (const points of POINTS.slice(1)) {
    if (integrated.way.converged) break;
    integrated = await integrate(points);
  }
  const { way, perLogit, perLoss } = integrated;
  return {
    logits,
    loss: end?.loss ?? null,
    pieces: tokens.flatMap((token, t) => pieceOf(token, t)),
    way,
  };

  function pieceOf(token: Token, t: number): ExplainedPiece[] {
    if (token.part === null) return [];
    const { part, start, end } = token;
    const contributions = question.classes.map((k) => perLogit[k * tokens.length + t] as number);
    return [{ part, start, end, contributions, lossContribution: perLoss?.[t] ?? null }];
  }

  async function integrate(count: number): Promise<Integrated> {
    const { points, weights } = gaussLegendre(count);
    const perLogit = new Float64Array(K * tokens.length);
    const perLoss = question.lossAt === null ? null : new Float64Array(tokens.length);
    for (let from = 0; from < count; from += atOnce) {
      const alphas = [...points.subarray(from, from + atOnce)];
      const found = await ranker.attribute(question.text, tokens, alphas, caller);
      const part = {
        weights: weights.subarray(from, from + atOnce),
        attributions: found.attributions,
        classes: K,
        tokens: tokens.length,
      };
      addTo(perLogit, integratedGradients(part));
      if (perLoss === null || question.lossAt === null) continue;
      const residuals = question.lossAt(found.logits).map(({ gradient }) => gradient);
      addTo(perLoss, integratedLossGradients(part, residuals));
    }
    return { perLogit, perLoss, way: { baselineLogits: baseline, points: count, ...completeness(perLogit) } };
  }

  /** How far the tokens' sums are from the change of the logits (completeness). */
  function completeness(perLogit: Float64Array): Pick<IntegratedWay, "residual" | "converged"> {
    const differences = question.classes.map((k) => {
      const change = (logits[k] as number) - (baseline[k] as number);
      const sum = perLogit.subarray(k * tokens.length, (k + 1) * tokens.length).reduce((a, b) => a + b, 0);
      return { change, residual: Math.abs(sum - change) };
    });
    return {
      residual: Math.max(...differences.map(({ residual }) => residual)),
      converged: differences.every(
        ({ change, residual }) => residual <= Math.max(RELATIVE_MAX * Math.abs(change), ABSOLUTE_MAX),
      ),
    };
  }
}

interface Integrated {
  readonly perLogit: Float64Array; // (K, T)
  readonly perLoss: Float64Array | null; // (T)
  readonly way: IntegratedWay;
}

function addTo(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (values[i] as number);
}
