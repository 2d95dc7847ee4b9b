import { addLogits } from "../../importance/logit-totals.js";
import { historySignals } from "../../importance/signals/history.js";
import type { LossName } from "../../importance/types.js";
import type { HistoryRules, SampleHistory, SampleRecord, TrainingCheckpoint } from "../../store/port.js";

/**
 * How a writing of samples keeps their histories: it adds the logits of the checkpoint, and computes the signals of the history
 * under the sample's present label and loss.
 *
 * @param checkpoint null if the writing belongs to no checkpoint
 */
export function historyRules(checkpoint: TrainingCheckpoint | null): HistoryRules {
  return { checkpoint, merge: addLogits, withSignals };
}

function withSignals(record: SampleRecord, history: SampleHistory): SampleRecord {
  const ofHistory = historySignals(history, record.label, record.loss as LossName);
  if (ofHistory.length === 0) return record;
  const signals = new Map(record.signals);
  for (const [name, value] of ofHistory) signals.set(name, value);
  return { ...record, signals };
}
