import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/app.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What a clone has of what `npm start` reads. Nothing is compiled in it. */
const CLONED = ["package.json", ".npmrc", "tsconfig.json", "tsconfig.build.json", "src", "dashboard", "bin"];

const READY = /^Model default@\w+ is ready/m;

it("npm start compiles a fresh clone and serves the shipped model and the dashboard", async () => {
  const clone = temporaryFolder();
  for (const name of CLONED) cpSync(join(ROOT, name), join(clone, name), { recursive: true });
  for (const name of ["node_modules", "models"]) symlinkSync(join(ROOT, name), join(clone, name));
  const child = spawn("npm", ["start"], {
    cwd: clone,
    env: { ...process.env, ASSAY_PORT: "0", ASSAY_DATA_DIR: temporaryFolder() },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    // npm does not pass signals on, so the whole process group is ended.
    if (child.exitCode === null) process.kill(-(child.pid as number), "SIGKILL");
    await exited;
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const ready = new Promise<void>((resolve) => {
    child.stdout.on("data", () => {
      if (READY.test(output)) resolve();
    });
  });
  await Promise.race([ready, exited]);
  expect(output).toMatch(READY);
  const [, url = ""] = /^Assay listens on (\S+),/m.exec(output) ?? [];
  expect(await (await fetch(url)).text()).toContain("<title>Assay</title>");
});
