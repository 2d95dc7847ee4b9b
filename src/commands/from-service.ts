import { abortOnSignals } from "./endings.js";
import { inWordsOfOptions } from "./option-faults.js";
import { type Output, openOutput } from "./output/output-file.js";
import type { RowFormat } from "./output/row-writer.js";
import { createProgress, type Progress } from "./progress.js";
import { openService, type Service, type ServiceOptions } from "./service.js";

/** Options of a command that writes rows from what a running service answers. */
export interface RowsFromServiceOptions extends ServiceOptions {
  readonly output?: string;
  readonly format?: RowFormat;
}

/** What such a command works with. */
export interface FromService {
  readonly service: Service;
  readonly output: Output;
  readonly format: RowFormat;
  readonly progress: Progress;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
}

/**
 * Writes rows from what a running service answers: all of them, or none. What `work` answers goes to standard error at the end, a
 * line each.
 */
export async function rowsFromService(
  options: RowsFromServiceOptions,
  work: (from: FromService) => Promise<readonly string[]>,
): Promise<void> {
  const format = options.format ?? (options.output?.endsWith(".csv") ? "csv" : "ndjson");
  const output = await openOutput(options.output);
  const { signal, release } = abortOnSignals();
  const progress = createProgress(process.stderr);
  try {
    const service = openService(options, signal);
    const sentences = await work({ service, output, format, progress, signal });
    await output.finish();
    progress.stop();
    for (const sentence of sentences) process.stderr.write(`${sentence}\n`);
  } catch (error) {
    progress.stop();
    await output.abandon();
    throw signal.aborted ? signal.reason : inWordsOfOptions(error);
  } finally {
    release();
  }
}
