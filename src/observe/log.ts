import { type Logger, pino } from "pino";

export type { Logger };

/** JSON lines on standard error, for standard output belongs to what a command answers; texts, labels and keys are never logged. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
