import { flagOf, SETTINGS, type Setting } from "./config.js";

/** docs/configuration.md: the settings as a table. */
export function configPage(): string {
  const intro = `# Configuration

Every setting is an environment variable or the same-named flag of \`assay serve\`; the flag wins. An unknown \`ASSAY_\` name or a
bad value stops the start. This page is made by \`npm run generate\` from \`src/config.ts\`.
`;
  return `${intro}\n${configTable()}`;
}

/** The settings as a Markdown table. */
function configTable(): string {
  const rows = Object.entries<Setting>(SETTINGS).map(([name, { preset = "", presetText, help }]) => {
    const shown = presetText ?? (preset === "" ? "" : `\`${preset}\``);
    return `| \`${name}\` | \`--${flagOf(name)}\` | ${shown} | ${help} |`;
  });
  return ["| environment | flag | default | meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}
