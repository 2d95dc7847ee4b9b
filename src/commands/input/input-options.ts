import { type Command, Option } from "commander";
import { INPUT_FORMATS } from "./sample-file.js";

/** Adds the options that say how a file of samples is read: `InputFormat` and `FieldMapOptions`. */
export function addInputOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--from <format>", "format of the input, if its name does not say it").choices(
        INPUT_FORMATS,
      ),
    )
    .option(
      "--map <field=name>",
      "read the file's field NAME as FIELD, as in label=rating; may be repeated",
      (pair: string, others: readonly string[]) => [...others, pair],
      [] as readonly string[],
    )
    .option("--ignore-unknown", "leave out unknown fields and columns", false);
}
