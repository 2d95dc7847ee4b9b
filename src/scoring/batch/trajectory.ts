import { computeSignals } from "../../importance/signals/compute.js";
import type { SignalColumn } from "../../importance/types.js";
import type { Ranker } from "../../ranker/port.js";
import type { OutputsStore } from "../../store/port.js";
import type { ResolvedDirection } from "../directions/known.js";
import { type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { Watch } from "../ports.js";
import type { LabelledTexts } from "../requests/sample.js";

/** One checkpoint of a training run, ready to run. */
export interface ReadyCheckpoint {
  readonly ranker: Ranker;
  readonly direction: ResolvedDirection;
  readonly learningRate: number;
}

/** (N) Influence summed over checkpoints, and the outputs from which it was computed. */
export interface SummedInfluence {
  readonly column: SignalColumn;
  readonly outputs: readonly KnownOutputs[];
}

/**
 * TracInCP: Σ_t η_t ⟨∇ℓ(θ_t), v_t⟩ over the checkpoints θ_t of a training run. Each checkpoint has its own gradients and its own
 * direction (Pruthi et al. 2020, arXiv:2002.08484). Null without a label.
 */
export async function influenceOver(
  checkpoints: readonly ReadyCheckpoint[],
  store: OutputsStore,
  { texts, labels, groups, loss }: LabelledTexts,
  watch: Watch,
): Promise<SummedInfluence> {
  const sums: (number | null)[] = labels.map((label) => (label === null ? null : 0));
  const all: KnownOutputs[] = [];
  for (const { ranker, direction, learningRate } of checkpoints) {
    const wanted = { graph: "tangent", direction } as const;
    const outputs = await knownOutputs({ ranker, store }, texts, wanted, watch);
    const influences =
      computeSignals(outputs, labels, loss, ["influence"], { groups }).get("influence") ?? [];
    for (const [index, influence] of influences.entries()) {
      if (influence !== null) sums[index] = (sums[index] ?? 0) + learningRate * influence;
    }
    all.push(outputs);
  }
  return { column: sums, outputs: all };
}
