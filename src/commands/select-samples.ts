import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { AssayError } from "../errors.js";
import { SELECTION_DEFAULTS, type SelectionOptions } from "../importance/selection/rules.js";
import type { SelectionName } from "../importance/selection/types.js";
import { namesOf } from "../importance/weigh-options.js";
import type { StratifyBy } from "../scoring/requests/selection.js";
import { csvLine } from "../text/cells.js";
import { type RowsFromServiceOptions, rowsFromService } from "./from-service.js";
import { listedIds } from "./listed-ids.js";
import type { Output } from "./output/output-file.js";
import type { RowFormat } from "./output/row-writer.js";
import { doJob, errorOf, type ProblemBody } from "./service.js";

export interface SelectCommandOptions extends RowsFromServiceOptions, Partial<SelectionOptions> {
  readonly method: SelectionName;
  readonly size?: number;
  readonly share?: number;
  readonly signal?: string;
  readonly stratifyBy?: StratifyBy;
  readonly quota?: Readonly<Record<string, number>>;
  readonly label?: number;
  readonly source?: string;
  readonly range?: readonly object[];
  /** Name of a file. */
  readonly exclude?: string;
  readonly seed?: string;
}

const LINES_TYPE = "application/x-ndjson";

/** Selects samples of a dataset of a running service, and writes a row for each. The facts of the selection go to standard error. */
export async function selectOverHttp(dataset: string, options: SelectCommandOptions): Promise<void> {
  const body = await bodyOf(options);
  await rowsFromService(options, async ({ service, output, format, progress }) => {
    const response = await doJob(service, { dataset, path: "/select", body, accept: LINES_TYPE, progress });
    const facts = await writeRows(response, output, format);
    return [...facts.advice, `Selected ${facts.selected} of ${facts.candidates} samples`];
  });
}

async function bodyOf(options: SelectCommandOptions): Promise<object> {
  const { method, size, share, signal, stratifyBy, quota, label, source, range, exclude, seed } = options;
  const filter = { label, source, ranges: range };
  const hasFilter = Object.values(filter).some((value) => value !== undefined);
  const given = namesOf(SELECTION_DEFAULTS).map((name) => [name, options[name]]);
  // JSON leaves out what is undefined.
  return {
    method,
    size,
    share,
    signal,
    stratify_by: stratifyBy,
    quotas: quota,
    filter: hasFilter ? filter : undefined,
    exclude: exclude === undefined ? undefined : await listedIds("--exclude", exclude),
    seed,
    ...Object.fromEntries(given),
  };
}

/** The facts of a selection that the command tells. */
interface Facts {
  readonly candidates: number;
  readonly selected: number;
  readonly advice: readonly string[];
}

const COLUMNS = ["id", "count", "probability", "multiplier"] as const;
type Row = Readonly<Record<(typeof COLUMNS)[number], unknown>>;

/** Rows that are written at once. */
const ROWS_MAX = 1000;

/** Writes the rows of the answer and returns its facts. Throws the problem if the answer ends in one. */
async function writeRows(response: Response, output: Output, format: RowFormat): Promise<Facts> {
  const lines = createInterface({ input: Readable.fromWeb(response.body as ReadableStream) });
  let facts: Facts | null = null;
  let text = format === "csv" ? csvLine(COLUMNS, "\n") : "";
  let rows = 0;
  for await (const line of lines) {
    const value = JSON.parse(line) as Facts | Row | ProblemBody;
    if (facts === null) {
      facts = value as Facts;
      continue;
    }
    if (!("id" in value)) throw errorOf(value as ProblemBody);
    text +=
      format === "csv"
        ? csvLine(
            COLUMNS.map((name) => value[name]),
            "\n",
          )
        : `${line}\n`;
    rows++;
    if (rows % ROWS_MAX > 0) continue;
    await output.write(text);
    text = "";
  }
  if (text !== "") await output.write(text);
  if (facts === null || rows !== facts.selected)
    throw new AssayError("store_unavailable", {
      detail: "The answer of the service broke off: run the command again",
    });
  return facts;
}
