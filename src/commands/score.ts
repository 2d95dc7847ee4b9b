import { type Command, InvalidArgumentError, Option } from "commander";
import { BATCH_SIGNALS, LOSSES } from "../importance/types.js";
import { PRECISIONS } from "../ranker/port.js";
import { addInputOptions } from "./input/input-options.js";
import { wholeNumber } from "./option-values.js";
import { sortingOf, topOf } from "./output/order.js";
import { ROW_FORMATS } from "./output/row-writer.js";
import { CARRIED, type CarriedName } from "./output/rows.js";
import type { ScoreOptions } from "./score-file.js";
import { addWeightingOptions } from "./weighting-options.js";

/** Adds `assay score FILE`, which scores a file as `POST /v1/score` scores a batch, without a server. */
export function addScoreCommand(program: Command): void {
  const command = program
    .command("score")
    .description(
      "Score a file of samples without a server: JSON lines, a JSON list, or CSV or TSV with a header; gzipped or not",
    )
    .argument(
      "<file>",
      "file with the fields or columns id, query and document (or text), label, group, source, reference_loss, extras.NAME; - is standard input",
    );
  addInputOptions(command)
    .option("-o, --output <file>", "where to write (default: standard output)")
    .addOption(
      new Option("-f, --format <format>", "format of the output").choices(ROW_FORMATS).default("ndjson"),
    )
    .option(
      "--with <names>",
      `fields of the samples to copy into the rows, comma-separated: ${CARRIED.join(", ")}`,
      oneOf(CARRIED),
      [] as readonly CarriedName[],
    )
    .option(
      "--sort <field>",
      "sort the rows by this field: a signal, logit, weight, label …; -loss puts the largest first, -label,-loss sorts by both",
      sortingOf,
    )
    .option("--top <n>", "with --sort: write only the first n rows, or a share of them such as 5%", topOf)
    .option("--model <name>", "name of a model folder (default: the default model)")
    .option(
      "--dataset <name>",
      "remember the samples under this name, in the store of ASSAY_DATA_DIR or ASSAY_REDIS_URL",
    )
    .option(
      "--signals <names>",
      `signals to compute, comma-separated: ${BATCH_SIGNALS.join(", ")}`,
      oneOf(BATCH_SIGNALS),
    )
    .addOption(
      new Option("--loss <name>", "loss of the samples (default: the loss of the model's task)").choices(
        LOSSES,
      ),
    )
    .addOption(
      new Option("--precision <name>", "number format of the model (default: the model's)").choices(
        PRECISIONS,
      ),
    )
    .option("--direction <name>", "direction along which influence, alignment and tangent are measured")
    .option("--reference <model>", "model whose loss rho subtracts, if the file has no reference_loss")
    .option("--batch <n>", "samples to score at once; more if a group is larger", wholeNumber(1), 256);
  addWeightingOptions(command, "file").action(async (file: string, options: ScoreOptions) => {
    const { scoreFile } = await import("./score-file.js");
    await scoreFile(file, options);
  });
}

/** Makes a function that reads the value of an option: a list of `names`. */
function oneOf<T extends string>(names: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(",").map((part) => {
      const found = names.find((name) => name === part.trim());
      if (found === undefined)
        throw new InvalidArgumentError(
          part === ""
            ? "A name is missing: separate names by commas, without blanks."
            : `${JSON.stringify(part)} is not one of ${names.join(", ")}.`,
        );
      return found;
    });
}
