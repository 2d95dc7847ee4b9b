import { type Command, InvalidArgumentError, Option } from "commander";
import { LOSSES, SIGNALS } from "../importance/types.js";
import { PRECISIONS } from "../ranker/port.js";
import { INPUT_FORMATS } from "./input/sample-file.js";
import { wholeNumber } from "./option-values.js";
import { sortingOf, topOf } from "./output/order.js";
import { ROW_FORMATS } from "./output/row-writer.js";
import { CARRIED, type CarriedName } from "./output/rows.js";
import type { ScoreOptions } from "./score-file.js";
import { addWeightingOptions } from "./weighting-options.js";

/** Adds `assay score FILE`: the use case of `POST /v1/score` over a file, without a server. */
export function addScoreCommand(program: Command): void {
  const command = program
    .command("score")
    .description(
      "Score a file of samples without a server: JSON lines, a JSON list, or CSV or TSV with a header; gzipped or not",
    )
    .argument(
      "<file>",
      "fields or columns: id, query and document (or text), label, group, reference_loss, extras.NAME; - is standard input",
    )
    .addOption(
      new Option("--from <form>", "form of the input where its name does not say it").choices(INPUT_FORMATS),
    )
    .option(
      "--map <field=name>",
      "read what the file calls NAME as FIELD, as in label=rating; may be repeated",
      (pair: string, others: readonly string[]) => [...others, pair],
      [] as readonly string[],
    )
    .option("--ignore-unknown", "leave out fields and columns that are not known", false)
    .option("-o, --output <file>", "where to write; standard output by default")
    .addOption(
      new Option("-f, --format <format>", "form of the output").choices(ROW_FORMATS).default("ndjson"),
    )
    .option(
      "--with <names>",
      `what rows carry of their samples, comma-separated: ${CARRIED.join(", ")}`,
      oneOf(CARRIED),
      [] as readonly CarriedName[],
    )
    .option(
      "--sort <field>",
      "order of the rows: signals, logit, weight, label …; -loss has the largest first, -label,-loss sorts by both",
      sortingOf,
    )
    .option("--top <n>", "with --sort: the first n rows alone, or a share of them such as 5%", topOf)
    .option("--model <name>", "model folder; the default model where absent")
    .option(
      "--dataset <name>",
      "remember the samples under this name, in the store of ASSAY_DATA_DIR or ASSAY_REDIS_URL",
    )
    .option("--signals <names>", `comma-separated: ${SIGNALS.join(", ")}`, oneOf(SIGNALS))
    .addOption(new Option("--loss <name>", "the loss of the model's task where absent").choices(LOSSES))
    .addOption(new Option("--precision <name>", "number format of the model").choices(PRECISIONS))
    .option("--direction <name>", "direction that influence, alignment and tangent are measured along")
    .option("--reference <model>", "model whose loss rho takes away, where the file has no reference_loss")
    .option("--batch <n>", "samples scored at once, or more where a group is larger", wholeNumber(1), 256);
  addWeightingOptions(command).action(async (file: string, options: ScoreOptions) => {
    const { scoreFile } = await import("./score-file.js");
    await scoreFile(file, options);
  });
}

/** Makes the reader of an option that takes a list of `names`. */
function oneOf<T extends string>(names: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(",").map((part) => {
      const found = names.find((name) => name === part.trim());
      if (found === undefined)
        throw new InvalidArgumentError(
          part === ""
            ? "A name is missing: separate names by commas, without blanks."
            : `${JSON.stringify(part)} is none of ${names.join(", ")}.`,
        );
      return found;
    });
}
