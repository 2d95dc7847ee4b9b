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

/** Adds `assay inspect FOLDER`, which makes a model folder from a stock ONNX export or says why it cannot. */
export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description(
      "Make a model folder from a stock ONNX export (Optimum, sentence-transformers), without PyTorch",
    )
    .argument("<folder>", "folder with model.onnx or onnx/model.onnx, config.json and the tokeniser's files")
    .option("-o, --output <folder>", "the model folder to make (default: NAME in ASSAY_MODELS_DIR)")
    .option("--name <name>", "name of the model (default: that of the output folder, or of the folder)")
    .addOption(
      new Option("--task <task>", "task of a model with one logit (default: as config.json says)").choices([
        "binary",
        "regression",
        "classification",
      ]),
    )
    .option("--max-tokens <n>", "longest input in tokens, including special tokens", wholeNumber(8))
    .option("--graph <file>", "the graph's file in the folder, if it is not model.onnx")
    .option("--logits <output>", "the graph's output that holds the logits, if several outputs could")
    .option("--replace", "replace an existing output folder")
    .option("--dry-run", "run all checks, but write nothing")
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
