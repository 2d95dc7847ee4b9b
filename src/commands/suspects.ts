import { type Command, Option } from "commander";
import { EVIDENCE } from "../scoring/noise/evidence.js";
import { addInputOptions } from "./input/input-options.js";
import { decimal, wholeNumber } from "./option-values.js";
import { ROW_FORMATS } from "./output/row-writer.js";
import { addServiceOptions } from "./service.js";
import type { SuspectsOptions } from "./suspects-of-file.js";

/** Adds `assay suspects FILE`, which shows the labels of a dataset that may be wrong, with their texts. */
export function addSuspectsCommand(program: Command): void {
  const command = program
    .command("suspects")
    .description(
      "Show the labels of a dataset of a running service that may be wrong, the most suspicious first, with the texts of your file",
    )
    .argument("<file>", "file with the samples' ids and texts, as assay score takes it; - is standard input")
    .requiredOption("--dataset <name>", "name of the dataset")
    .addOption(
      new Option(
        "--evidence <name>",
        "where the probability of each label comes from (default: the first that the dataset has)",
      ).choices(EVIDENCE),
    )
    .option("--checkpoint <name>", "checkpoint of the held-out logits (default: oof)")
    .option(
      "--planted <file>",
      "file with the ids whose labels you flipped on purpose: CSV, JSON lines, or one id a line",
    )
    .option("--recall <share>", "with --planted: the share of them that the threshold finds", decimal)
    .option("--top <n>", "most suspects to write", wholeNumber(1), 100);
  addInputOptions(command)
    .option("-o, --output <file>", "where to write (default: standard output)")
    .addOption(
      new Option(
        "-f, --format <format>",
        "format of the output (default: csv if the output's name ends so, otherwise ndjson)",
      ).choices(ROW_FORMATS),
    );
  addServiceOptions(command).action(async (file: string, options: SuspectsOptions) => {
    const { suspectsOfFile } = await import("./suspects-of-file.js");
    await suspectsOfFile(file, options);
  });
}
