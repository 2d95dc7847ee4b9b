import type { Model } from "../../api/answers.js";

/** A pair as it was typed; the label may be blank. */
export interface Pair {
  readonly query: string;
  readonly document: string;
  readonly label: string;
}

/** The body of a request that scores the pair, with the signals that the model and the label allow. */
export function bodyOf(
  { query, document, label }: Pair,
  model: Pick<Model, "name" | "task" | "gradient_graphs">,
) {
  const hasLabel = label !== "";
  const hasNorms = model.gradient_graphs.includes("norms");
  const signals = [
    ...(hasLabel ? ["loss"] : []),
    ...(model.task === "regression" ? [] : hasLabel || model.task === "binary" ? ["probability"] : []),
    ...(hasNorms ? ["sensitivity"] : []),
    ...(hasNorms && hasLabel ? ["grad_norm"] : []),
  ];
  return {
    model: model.name,
    signals,
    weighting: null,
    // What is no number goes to the service as it is, which says what is wrong with it.
    samples: [
      { query, document, ...(hasLabel && { label: Number.isNaN(Number(label)) ? label : Number(label) }) },
    ],
  };
}
