import { AssayError, messageOf } from "../errors.js";
import { abortOnSignals, withKept } from "./endings.js";
import { openOutput } from "./output/output-file.js";
import { createProgress, NO_PROGRESS } from "./progress.js";
import { openService, type ServiceOptions } from "./service.js";

/** The formats of `GET /v1/datasets/{dataset}/export`, by the ends of files' names. */
export const FORMAT_BY_ENDING = {
  ".ndjson": "ndjson",
  ".jsonl": "ndjson",
  ".csv": "csv",
  ".arrows": "arrow",
  ".parquet": "parquet",
} as const;

export interface ExportOptions extends ServiceOptions {
  readonly output: string;
  readonly format?: string;
  readonly snapshot?: number;
}

/**
 * Writes a dataset to a file, as a running service exports it. The file gets its name when the export is complete.
 *
 * Throws `input_invalid` if the format is not known or if the service breaks off, what `openService` throws, and `output_invalid`.
 */
export async function exportDataset(dataset: string, options: ExportOptions): Promise<void> {
  const format = formatOf(options);
  const ending = abortOnSignals();
  const output = await openOutput(options.output);
  const progress = output.isTerminal ? NO_PROGRESS : createProgress(process.stderr);
  progress.begin("", null, "bytes");
  try {
    let bytes = 0;
    for await (const part of exportedBytes(dataset, format, options, ending.signal)) {
      await output.write(part);
      bytes += part.length;
      progress.update(bytes);
    }
    await output.finish();
  } catch (error) {
    const kept = await output.abandon();
    throw withKept(ending.signal.aborted ? ending.signal.reason : error, "What was read so far is in", kept);
  } finally {
    progress.stop();
    ending.release();
  }
}

function formatOf({ output, format }: ExportOptions): string {
  const named = Object.entries(FORMAT_BY_ENDING).find(([end]) => output.toLowerCase().endsWith(end));
  const found = format ?? named?.[1];
  if (found !== undefined) return found;
  const ends = Object.keys(FORMAT_BY_ENDING).join(", ");
  throw new AssayError("input_invalid", {
    detail: `${output} does not say its format: end it in one of ${ends}, or add --format`,
  });
}

async function* exportedBytes(
  dataset: string,
  format: string,
  { snapshot, ...options }: ExportOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const query = new URLSearchParams({ format });
  if (snapshot !== undefined) query.set("snapshot", String(snapshot));
  const service = openService(options, signal);
  const answer = await service.call(`/v1/datasets/${encodeURIComponent(dataset)}/export?${query}`);
  try {
    for await (const part of answer.body ?? []) yield part as Uint8Array;
  } catch (cause) {
    throw new AssayError("input_invalid", {
      detail: `The service broke the export off before its end (${messageOf(cause)}): its log says why`,
      cause,
    });
  }
}
