import { type Command, InvalidArgumentError, Option } from "commander";
import { SELECTION_NUMBERS } from "../importance/selection/rules.js";
import { SELECTIONS } from "../importance/selection/types.js";
import { namesOf } from "../importance/weigh-options.js";
import { STRATA } from "../scoring/requests/selection.js";
import { decimalOf } from "../text/decimal.js";
import { decimal, wholeNumber } from "./option-values.js";
import { ROW_FORMATS } from "./output/row-writer.js";
import type { SelectCommandOptions } from "./select-samples.js";
import { addServiceOptions } from "./service.js";
import { optionFor } from "./weighting-options.js";

/** Adds `assay select DATASET`, which selects samples of a dataset of a running service. */
export function addSelectCommand(program: Command): void {
  const command = program
    .command("select")
    .description("Select samples of a dataset of a running service: ids, with multipliers if they were drawn")
    .argument("<dataset>", "name of the dataset")
    .addOption(new Option("--method <name>", "how to select").choices(SELECTIONS).makeOptionMandatory())
    .option("--size <n>", "samples to select; draws with sample", wholeNumber(1))
    .option("--share <share>", "in place of --size: a fraction of the candidates, such as 0.3", decimal)
    .option("--signal <name>", "the score: a signal, extras.NAME, or weight of the newest snapshot")
    .addOption(
      new Option("--stratify-by <what>", "select from each class, group or source by itself").choices(STRATA),
    )
    .option(
      "--quota <name=n>",
      "in place of --size: how many to select from this class, group or source; may be repeated",
      quotaOf,
    )
    .option("--label <label>", "only samples with this label", decimal)
    .option("--source <source>", "only samples from this source")
    .option(
      "--range <name:min..max>",
      "only samples whose signal, extra or weight lies in the range; may be repeated",
      rangeOf,
    )
    .option(
      "--exclude <file>",
      "file with the ids to leave out: an earlier output (CSV or JSON lines), or one id a line",
    )
    .option("--seed <seed>", "number or text; the same seed gives the same selection (default: 0)")
    .option("--diverse", "active selects for diversity")
    .option("-o, --output <file>", "where to write (default: standard output)")
    .addOption(
      new Option(
        "-f, --format <format>",
        "format of the output (default: csv if the output's name ends so, otherwise ndjson)",
      ).choices(ROW_FORMATS),
    );
  for (const name of namesOf(SELECTION_NUMBERS))
    command.addOption(optionFor(name, SELECTION_NUMBERS[name]).argParser(decimal));
  addServiceOptions(command).action(async (dataset: string, options: SelectCommandOptions) => {
    const { selectOverHttp } = await import("./select-samples.js");
    await selectOverHttp(dataset, options);
  });
}

function quotaOf(text: string, others: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [, name, count] = /^(.+)=(\d+)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be NAME=N, such as 1=500.");
  return { ...others, [name]: Number(count) };
}

interface Range {
  readonly column: string;
  readonly min?: number;
  readonly max?: number;
}

function rangeOf(text: string, others: readonly Range[] = []): Range[] {
  const [, column, low, high] = /^([^:]+):(.*?)\.\.(.*)$/.exec(text) ?? [];
  const [min, max] = [low, high].map((end) => (end === "" || end === undefined ? undefined : decimalOf(end)));
  if (column === undefined || min === null || max === null)
    throw new InvalidArgumentError("It must be NAME:MIN..MAX, where MIN or MAX may be left out.");
  return [...others, { column, ...(min !== undefined && { min }), ...(max !== undefined && { max }) }];
}
