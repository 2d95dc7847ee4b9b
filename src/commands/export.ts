import { type Command, Option } from "commander";
import { type ExportOptions, exportDataset, FORMAT_BY_ENDING } from "./export-dataset.js";
import { wholeNumber } from "./option-values.js";
import { addServiceOptions } from "./service.js";

/** Adds `assay export DATASET`, which writes a dataset of a running service to a file. */
export function addExportCommand(program: Command): void {
  const command = program
    .command("export")
    .description("Write a dataset of a running service to a file: one row for each sample")
    .argument("<dataset>", "name of the dataset")
    .requiredOption(
      "-o, --output <file>",
      `where to write: the end of its name says the format (${Object.keys(FORMAT_BY_ENDING).join(", ")}); - is standard output`,
    )
    .addOption(
      new Option("-f, --format <format>", "format of the file, if its name does not say it").choices([
        ...new Set(Object.values(FORMAT_BY_ENDING)),
      ]),
    )
    .option(
      "--snapshot <version>",
      "version of the snapshot of the weights (default: the newest)",
      wholeNumber(1),
    );
  addServiceOptions(command).action((dataset: string, options: ExportOptions) =>
    exportDataset(dataset, options),
  );
}
