import type { Command } from "commander";
import { DEFAULT_WEIGHTING } from "../scoring/requests/weighting.js";
import { abortOnSignals } from "./endings.js";
import { inWordsOfOptions } from "./option-faults.js";
import { openOutput } from "./output/output-file.js";
import { createProgress } from "./progress.js";
import { addServiceOptions, doJob, JSON_TYPE, openService, type ServiceOptions } from "./service.js";
import { addWeightingOptions, type WeightingOptions, weightingOf } from "./weighting-options.js";

interface WeighCommandOptions extends WeightingOptions, ServiceOptions {
  readonly output?: string;
}

/** Adds `assay weigh DATASET`, which weighs a dataset of a running service. */
export function addWeighCommand(program: Command): void {
  const command = program
    .command("weigh")
    .description("Weigh a whole dataset of a running service; the weights become its newest snapshot")
    .argument("<dataset>", "name of the dataset")
    .option(
      "-o, --output <file>",
      "where to write the snapshot and its diagnostics (default: standard output)",
    );
  addWeightingOptions(addServiceOptions(command), "dataset").action(weighOverHttp);
}

async function weighOverHttp(dataset: string, options: WeighCommandOptions): Promise<void> {
  const weighting = weightingOf(options) ?? DEFAULT_WEIGHTING;
  const output = await openOutput(options.output);
  const ending = abortOnSignals();
  const progress = createProgress(process.stderr);
  try {
    const response = await doJob(openService(options, ending.signal), {
      dataset,
      path: "/weights",
      body: { weighting },
      accept: JSON_TYPE,
      progress,
    });
    const { result } = (await response.json()) as WeighedJob;
    for (const sentence of result.diagnostics.advice) process.stderr.write(`${sentence}\n`);
    await output.write(`${JSON.stringify(result, null, 2)}\n`);
    await output.finish();
  } catch (error) {
    await output.abandon();
    throw inWordsOfOptions(error);
  } finally {
    progress.stop();
    ending.release();
  }
}

interface WeighedJob {
  readonly result: { readonly diagnostics: { readonly advice: readonly string[] } };
}
