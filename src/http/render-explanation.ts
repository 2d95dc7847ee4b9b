import type { z } from "zod";
import type { Explained, ExplainedPiece } from "../scoring/explain/explain.js";
import type { Sample } from "../scoring/requests/sample.js";
import type { explanationSchema } from "./schemas/explanation.js";

type RenderedExplanation = z.infer<typeof explanationSchema>["results"][number];
type RenderedPiece = RenderedExplanation["pieces"][number];

/** The answer to the sample at `index`. */
export function renderExplained(
  { logits, loss, pieces, way }: Explained,
  samples: readonly Sample[],
  index: number,
): RenderedExplanation {
  const sample = samples[index] as Sample;
  const isSingle = logits.length === 1;
  const { first, second } = partsOf(sample);
  const texts = { first: [...first.text], second: [...second.text] };
  const names = { first: first.name, second: second.name };
  return {
    id: sample.id ?? null,
    ...renderLogits(logits),
    ...(loss !== null && { loss }),
    pieces: pieces.map(
      ({ part, start, end, contributions, lossContribution }: ExplainedPiece): RenderedPiece => ({
        part: names[part],
        start,
        end,
        text: texts[part].slice(start, end).join(""),
        ...(isSingle ? { contribution: contributions[0] as number } : { contributions: [...contributions] }),
        ...(lossContribution !== null && { loss_contribution: lossContribution }),
      }),
    ),
    ...(way !== null && {
      baseline: renderLogits(way.baselineLogits),
      points: way.points,
      residual: way.residual,
      converged: way.converged,
    }),
  };
}

function renderLogits(logits: readonly number[]): { logit: number } | { logits: number[] } {
  const [only] = logits;
  return logits.length === 1 && only !== undefined ? { logit: only } : { logits: [...logits] };
}

interface NamedPart {
  readonly name: RenderedPiece["part"];
  readonly text: string;
}

/** A sample's texts under the names that it gave them. */
function partsOf({ query, document, text }: Sample): { first: NamedPart; second: NamedPart } {
  return text === undefined
    ? { first: { name: "query", text: query ?? "" }, second: { name: "document", text: document ?? "" } }
    : { first: { name: "text", text }, second: { name: "text", text: "" } };
}
