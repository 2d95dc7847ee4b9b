import type { SignalColumn } from "../../importance/signals.js";
import type { SignalName } from "../../importance/types.js";

/** Signals of N samples, one column each. */
export type SignalColumns = ReadonlyMap<SignalName, SignalColumn>;

/** One sample's signals: those that its label allows. */
export function signalsAt(columns: SignalColumns, index: number): Map<SignalName, number> {
  const signals = new Map<SignalName, number>();
  for (const [name, column] of columns) {
    const value = column[index];
    if (typeof value === "number") signals.set(name, value);
  }
  return signals;
}
