#!/usr/bin/env node
// What `npm exec -- assay` runs inside a clone: the compiled command line, which a fresh clone does not have yet.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const compiled = new URL("../dist/cli.js", import.meta.url);
if (existsSync(compiled)) {
  await import(compiled.href);
} else {
  const root = fileURLToPath(new URL("..", import.meta.url));
  process.stderr.write(`assay: not compiled yet. Run "npm ci" and "npm run build" in ${root}\n`);
  process.exitCode = 1;
}
