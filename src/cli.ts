#!/usr/bin/env node
import { Command } from "commander";
import { EarlyEnd, outliveReaders } from "./commands/endings.js";
import { addExportCommand } from "./commands/export.js";
import { addInspectCommand } from "./commands/inspect.js";
import { addScoreCommand } from "./commands/score.js";
import { addSelectCommand } from "./commands/select.js";
import { addSuspectsCommand } from "./commands/suspects.js";
import { addUpgradeCommand } from "./commands/upgrade.js";
import { addWeighCommand } from "./commands/weigh.js";
import { flagOf, readConfig, SETTINGS, type Setting } from "./config.js";
import { configPage } from "./config-page.js";
import { AssayError } from "./errors.js";
import { packageVersion } from "./version.js";

outliveReaders();

const program = new Command("assay")
  .description("Tells a training pipeline which samples matter")
  .version(packageVersion());

const serveCommand = program.command("serve").description("Serve over HTTP");
for (const [name, { help, preset }] of Object.entries<Setting>(SETTINGS)) {
  serveCommand.option(
    `--${flagOf(name)} <value>`,
    `${plainText(help)} (${name}${preset ? `, default ${preset}` : ""})`,
  );
}
// Here and below, a command loads its code when it runs. Loading takes a second, and the other commands do not need the code.
serveCommand.action(async (_options, command: Command) => {
  const { serve } = await import("./main.js");
  await serve(readConfig(process.env, flagsOf(command)));
});

addScoreCommand(program);
addWeighCommand(program);
addSelectCommand(program);
addSuspectsCommand(program);
addExportCommand(program);
addInspectCommand(program);
addUpgradeCommand(program);

program
  .command("openapi")
  .description("Print the OpenAPI document")
  .action(async () => (await import("./commands/openapi.js")).printOpenApi());

program
  .command("config")
  .description("Print the page of settings, docs/configuration.md")
  .action(() => {
    process.stdout.write(configPage());
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof AssayError || error instanceof EarlyEnd)) throw error;
  if (error.message !== "") process.stderr.write(`assay: ${error.message}\n`);
  process.exitCode = error instanceof EarlyEnd ? error.exitCode : 1;
}

/** A help text of the settings' page without its Markdown. */
function plainText(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\(([^)]+)\)/g, "docs/$2").replaceAll("`", "");
}

/** The flags that the user gave, under the names that `readConfig` knows. */
function flagsOf(command: Command): Record<string, string> {
  const given = command.opts<Record<string, string>>();
  return Object.fromEntries(
    command.options.flatMap((option) => {
      const value = given[option.attributeName()];
      return value === undefined ? [] : [[(option.long as string).slice(2), value]];
    }),
  );
}
