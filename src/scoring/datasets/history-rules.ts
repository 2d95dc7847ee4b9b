import { addLogits } from "../../importance/logit-totals.js";
import { historySignals, type NamedSignals } from "../../importance/signals/history.js";
import type { LossName } from "../../importance/types.js";
import { type HistoryRules, type SampleHistory, type SampleRecord, SignalRow } from "../../store/port.js";

/**
 * How writings of samples keep their histories, whatever the checkpoint: they add its logits, and compute the signals of the
 * history under the sample's present label and loss.
 */
export const HISTORY_RULES: Omit<HistoryRules, "checkpoint"> = { merge: addLogits, withSignals };

function withSignals(record: SampleRecord, history: SampleHistory): SampleRecord {
  const found = historySignals(history, record.label, record.loss as LossName);
  return found === null ? record : { ...record, signals: joined(record.signals, found) };
}

/** The signals and those of the history, which they do not have yet. */
function joined(signals: ReadonlyMap<string, number>, { names, values }: NamedSignals): SignalRow {
  const own =
    signals instanceof SignalRow ? signals : new SignalRow([...signals.keys()], [...signals.values()]);
  return new SignalRow(joinedNames(own.names, names), own.numbers.concat(values));
}

/** The joined names of lists that many samples share. */
const joinedWith = new WeakMap<readonly string[], WeakMap<readonly string[], readonly string[]>>();

function joinedNames(first: readonly string[], second: readonly string[]): readonly string[] {
  const known = joinedWith.get(first) ?? new WeakMap<readonly string[], readonly string[]>();
  joinedWith.set(first, known);
  const names = known.get(second) ?? [...first, ...second];
  known.set(second, names);
  return names;
}
