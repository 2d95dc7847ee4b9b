import { type Config, readConfig } from "../config.js";
import { AssayError } from "../errors.js";
import type { Evidence } from "../scoring/noise/evidence.js";
import { csvLine } from "../text/cells.js";
import { type RowsFromServiceOptions, rowsFromService } from "./from-service.js";
import { createFieldMap, type FieldMapOptions } from "./input/field-map.js";
import { checkInput, type Input } from "./input/input.js";
import { type FiledSample, type InputFormat, readSampleFile } from "./input/sample-file.js";
import { listedIds } from "./listed-ids.js";
import type { RowFormat } from "./output/row-writer.js";
import { doJob, JSON_TYPE } from "./service.js";

export interface SuspectsOptions extends RowsFromServiceOptions, FieldMapOptions {
  readonly dataset: string;
  readonly evidence?: Evidence;
  readonly checkpoint?: string;
  /** Name of a file. */
  readonly planted?: string;
  readonly recall?: number;
  readonly top: number;
  readonly from?: InputFormat;
}

/** The parts of `NoiseAnswer` that the command reads. */
interface NoiseBody {
  readonly reason: string;
  readonly samples: number;
  readonly wrong_labels: { readonly count: number; readonly low: number; readonly high: number } | null;
  readonly planted: {
    readonly planted: number;
    readonly threshold: number;
    readonly flagged: number;
    readonly recall: readonly {
      readonly label: number;
      readonly planted: number;
      readonly recall: number | null;
    }[];
  } | null;
  readonly suspects: readonly SuspectBody[];
  readonly advice: readonly string[];
}

interface SuspectBody {
  readonly id: string;
  readonly label: number;
}

/** The columns of a row: those of the answer, then those of the file. */
const COLUMNS = [
  "id",
  "label",
  "suggested_label",
  "suggested_probability",
  "noise",
  "confidence",
  "reason",
  "source",
  "line",
  "query",
  "document",
  "text",
] as const;

/**
 * Writes a row for each suspect of a dataset, the most suspicious first, with its line and its texts in the file. What is known of the
 * whole dataset goes to standard error.
 */
export async function suspectsOfFile(path: string, options: SuspectsOptions): Promise<void> {
  const input = checkInput(path);
  if (options.output !== undefined && input.isFile(options.output))
    throw new AssayError("output_invalid", {
      detail: `${options.output} is also the input: name another output`,
    });
  if (options.recall !== undefined && options.planted === undefined)
    throw new AssayError("input_invalid", {
      detail: "--recall needs --planted: add it to say which labels were flipped",
    });
  const config = readConfig(process.env);
  const body = await bodyOf(options);
  await rowsFromService(options, async ({ service, output, format, progress, signal }) => {
    const { dataset } = options;
    const response = await doJob(service, { dataset, path: "/noise", body, accept: JSON_TYPE, progress });
    const { result } = (await response.json()) as { result: NoiseBody };
    progress.begin("joining: ", null);
    const filed = await readFiled(input, result.suspects, { options, config, signal });
    progress.stop();
    const rows = result.suspects.map((suspect) => rowOf(suspect, filed.get(suspect.id)));
    await output.write(render(rows, format));
    return sentencesOf(result, filed);
  });
}

async function bodyOf({ evidence, checkpoint, planted, recall, top }: SuspectsOptions): Promise<object> {
  // JSON leaves out what is undefined.
  return {
    evidence,
    checkpoint,
    planted: planted === undefined ? undefined : await listedIds("--planted", planted),
    recall,
    limit: top,
  };
}

interface Reading {
  readonly options: SuspectsOptions;
  readonly config: Config;
  readonly signal: AbortSignal;
}

/** The samples of the file that are suspects, by id. Only these are held in memory. */
async function readFiled(
  { path }: Input,
  suspects: readonly SuspectBody[],
  { options, config, signal }: Reading,
): Promise<ReadonlyMap<string, FiledSample>> {
  const wanted = new Set(suspects.map(({ id }) => id));
  const fields = createFieldMap(options);
  const filed = new Map<string, FiledSample>();
  for await (const read of readSampleFile(path, { limits: config, fields, format: options.from, signal })) {
    const { id } = read.sample;
    if (id !== undefined && wanted.has(id)) filed.set(id, read);
  }
  return filed;
}

type Row = Readonly<Record<string, unknown>>;

function rowOf(suspect: SuspectBody, filed: FiledSample | undefined): Row {
  const { query, document, text } = filed?.sample ?? {};
  return { ...suspect, line: filed?.line, query, document, text };
}

function render(rows: readonly Row[], format: RowFormat): string {
  const values = rows.map((row) => COLUMNS.map((name) => [name, row[name]] as const));
  if (format === "ndjson")
    return values.map((row) => `${JSON.stringify(Object.fromEntries(row))}\n`).join("");
  const lines = values.map((row) =>
    csvLine(
      row.map(([, value]) => value),
      "\n",
    ),
  );
  return csvLine(COLUMNS, "\n") + lines.join("");
}

/** What is to be known beside the rows, in words. */
function sentencesOf(
  { reason, samples, wrong_labels: wrong, planted, suspects, advice }: NoiseBody,
  filed: ReadonlyMap<string, FiledSample>,
): string[] {
  const sentences = [reason];
  if (wrong !== null)
    sentences.push(
      `About ${wrong.count.toFixed(0)} of ${samples} labels are wrong (95% interval: ${wrong.low.toFixed(0)} to ${wrong.high.toFixed(0)}).`,
    );
  if (planted !== null) {
    const found = planted.recall.flatMap(({ label, recall }) =>
      recall === null ? [] : [`${(100 * recall).toFixed(0)}% of those labelled ${label}`],
    );
    sentences.push(
      `A noise of at least ${planted.threshold.toPrecision(3)} flags ${planted.flagged} samples, and of the ${planted.planted} planted ones ${found.join(" and ")}.`,
    );
  }
  sentences.push(...advice);
  const missing = suspects.filter(({ id }) => !filed.has(id)).length;
  if (missing > 0)
    sentences.push(`${missing} of ${suspects.length} suspects are not in the file, and have no texts.`);
  const relabelled = suspects.filter(({ id, label }) => {
    const own = filed.get(id)?.sample.label;
    return own !== undefined && own !== label;
  }).length;
  if (relabelled > 0)
    sentences.push(
      `${relabelled} suspects have another label in the file than in the dataset: send the new labels to the dataset.`,
    );
  return sentences;
}
