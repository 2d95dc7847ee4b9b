import { type Logger, pino } from "pino";

export type { Logger };

/** Most bytes to hold while standard error cannot be written, as on a full disk. Further lines are lost. */
const HELD_BYTES_MAX = 2 ** 20;

/**
 * A logger of JSON lines to standard error, because standard output belongs to the results of commands. Texts, labels and keys
 * are never logged. If nobody reads the log, or it cannot be written, the process goes on without it.
 */
export function createLogger(level: string): Logger {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: HELD_BYTES_MAX });
  destination.on("error", () => undefined);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
