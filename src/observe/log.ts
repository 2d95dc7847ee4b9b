import { type Logger, pino } from "pino";

export type { Logger };

/** Held while standard error takes nothing, as on a full disk; what goes beyond is lost. */
const HELD_BYTES_MAX = 2 ** 20;

/**
 * JSON lines on standard error, for standard output belongs to what a command answers; texts, labels and keys are never logged.
 * Where nobody reads them any more, or they cannot be written, the process goes on without.
 */
export function createLogger(level: string): Logger {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: HELD_BYTES_MAX });
  destination.on("error", () => undefined);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
