import type { SignalName } from "../types.js";
import { COMPARED_SIGNALS } from "./compared.js";
import { DIRECTION_SIGNALS } from "./directions.js";
import { GRADIENT_SIGNALS } from "./gradients.js";
import { HISTORY_SIGNALS } from "./history.js";
import { LOGIT_SIGNALS } from "./logits.js";
import type { Signal } from "./signal.js";

/** Every signal, with its rules and its formula, by family. */
export const SIGNAL_TABLE: Readonly<Record<SignalName, Signal>> = {
  ...LOGIT_SIGNALS,
  ...GRADIENT_SIGNALS,
  ...DIRECTION_SIGNALS,
  ...COMPARED_SIGNALS,
  ...HISTORY_SIGNALS,
};
