import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** The folder that the default folders of `serve` lie in. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The help of `assay`, or of one of its commands: an option a line, the same on every machine. */
async function helpOf(...command: string[]): Promise<string> {
  const env = { PATH: process.env.PATH };
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...command, "--help"], { env });
  return stdout.replace(/\n {20,}/g, " ").replaceAll(ROOT, "");
}

/** The commands that the help of `assay` lists. */
function commandsIn(help: string): string[] {
  const [, list = ""] = help.split("\nCommands:\n");
  return [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
}

// A change of the command line shows in a diff of these files: `npx vitest run test/commands/help.test.ts -u` writes them.
describe("the help", async () => {
  const whole = await helpOf();

  it("of assay is the one that was reviewed", () => expect(whole).toMatchFileSnapshot("help/assay.txt"));

  it.each(commandsIn(whole))("of assay %s is the one that was reviewed", async (name) => {
    await expect(await helpOf(name)).toMatchFileSnapshot(`help/${name}.txt`);
  });

  it("lists every command", () => {
    expect(commandsIn(whole)).toEqual([
      "serve",
      "score",
      "weigh",
      "select",
      "suspects",
      "export",
      "inspect",
      "upgrade",
      "openapi",
      "config",
    ]);
  });
});
