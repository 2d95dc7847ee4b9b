import type { Noise } from "../../importance/noise/estimate-noise.js";
import type { FlipRate } from "../../importance/noise/rates.js";
import type { Evidence, NoiseColumns } from "./evidence.js";
import type { Suspect } from "./find-suspects.js";

/** Why the labels are ranked as they are: one sentence. */
export function methodReason({ fault, rates }: Pick<Noise, "fault" | "rates">): string {
  if (rates === null || fault === "few")
    return "There are too few samples to estimate how often each label is wrong (it takes 400, with 200 of each label), so the labels are ranked by loss.";
  const [zero, one] = rates.map(rateWords);
  const both = `${zero} of the samples that are 0 in truth are labelled 1, and ${one} of those that are 1 are labelled 0`;
  if (fault === "large")
    return `The model does not tell the labels apart well enough: it seems that ${both}, and such rates cannot be told from its own faults. The labels are ranked by loss.`;
  if (fault === "overlap")
    return `The two rates cannot be told apart (${both}), and with one rate the chance of a wrong label ranks as the loss does. The labels are ranked by loss.`;
  return `The two rates differ: ${both}. So a label of the kind that is wrong more often is suspected earlier than its loss says.`;
}

function rateWords({ rate, low, high }: FlipRate): string {
  return `${percent(rate)} (${percent(low)} to ${percent(high)})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

const SAYING: Readonly<Record<Evidence, string>> = {
  held_out: "a model that has not seen the sample gives",
  history: "the checkpoints give on average",
  newest: "the model gives",
};

/** Why one label is suspected: one sentence. */
export function suspectReason(
  { label, confidence, noise }: Pick<Suspect, "label" | "confidence" | "noise">,
  evidence: Evidence,
  { used }: Pick<Noise, "used">,
): string {
  const said = `Labelled ${label}, but ${SAYING[evidence]} ${label} a probability of ${confidence.toFixed(3)}`;
  if (used === null) return `${said}.`;
  const rate = label === 1 ? used.e0 : used.e1;
  return `${said}; with ${percent(rate)} of the true ${1 - label}s labelled ${label}, the label is wrong with a chance of ${noise.toFixed(3)}.`;
}

/** Sentences on what a reader of the figures must know. */
export function adviceOnNoise(
  { evidence, hasGroups, withoutEvidence, labels }: NoiseColumns,
  { method, wrong }: Pick<Noise, "method" | "wrong">,
  planted: { readonly planted: number; readonly found: number },
): string[] {
  const advice: string[] = [];
  if (evidence !== "held_out")
    advice.push(
      "A model that was trained on these labels has learned some of the wrong ones by heart, so rates and counts are too small: post the logits of models that have not seen the sample, from folds by query, as observations under the checkpoint oof.",
    );
  if (!hasGroups)
    advice.push(
      "No sample has a group, so intervals take the samples for independent: send the query as group.",
    );
  if (withoutEvidence > 0)
    advice.push(
      `${withoutEvidence} labelled samples lack the logits that the other ${labels.length} were ranked by, and were left out.`,
    );
  if (method === "loss")
    advice.push(
      "Noise is 1 − the model's probability of the label: it ranks, but it is no chance of a wrong label.",
    );
  if (wrong !== null)
    advice.push(
      "The number of wrong labels is an upper estimate: what the model itself gets wrong among the samples that it is surest of counts too.",
    );
  if (planted.planted > 0 && planted.found === 0)
    advice.push("None of the planted ids is among the samples that were ranked.");
  advice.push("Let a person review the suspects: removing them by machine recovers little.");
  return advice;
}
