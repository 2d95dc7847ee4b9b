import { basename, join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { readConfig } from "../config.js";
import { renderImport } from "./import-report.js";
import { wholeNumber } from "./option-values.js";

interface InspectOptions {
  readonly output?: string;
  readonly name?: string;
  readonly task?: "binary" | "regression" | "classification";
  readonly maxTokens?: number;
  readonly graph?: string;
  readonly logits?: string;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
}

/** Adds `assay inspect FOLDER`: a stock ONNX export becomes a model folder, or is told why it cannot. */
export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description(
      "Make a model folder of a stock ONNX export (Optimum, sentence-transformers), without PyTorch",
    )
    .argument("<folder>", "holds model.onnx or onnx/model.onnx, config.json and the tokeniser's files")
    .option("-o, --output <folder>", "the model folder to make; by default NAME in ASSAY_MODELS_DIR")
    .option("--name <name>", "name of the model; the output folder's, or the folder's own, where absent")
    .addOption(
      new Option("--task <task>", "what its one logit is; config.json says it where absent").choices([
        "binary",
        "regression",
        "classification",
      ]),
    )
    .option("--max-tokens <n>", "longest input, special tokens included", wholeNumber(8))
    .option("--graph <file>", "the graph's file in the folder, where it is not model.onnx")
    .option("--logits <output>", "the graph's output that holds the logits, where several could")
    .option("--replace", "take the place of an output folder that exists")
    .option("--dry-run", "try everything, write nothing")
    .action((folder: string, options: InspectOptions) => inspectFolder(folder, options));
}

async function inspectFolder(folder: string, options: InspectOptions): Promise<void> {
  const { importFolder } = await import("../ranker/import/import-folder.js");
  const { task, maxTokens, graph, logits, replace = false, dryRun = false } = options;
  const name = options.name ?? basename(resolve(options.output ?? folder));
  const output = options.output ?? join(readConfig(process.env).modelsDir, name);
  const report = await importFolder(folder, {
    name,
    output: dryRun ? null : output,
    replace,
    ...(task !== undefined && { task }),
    ...(maxTokens !== undefined && { tokensMax: maxTokens }),
    ...(graph !== undefined && { graph }),
    ...(logits !== undefined && { logits }),
  });
  process.stdout.write(renderImport(report, dryRun ? null : output));
}
