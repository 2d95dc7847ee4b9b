import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Compiles src/ to dist/ and builds the dashboard, once before the suite: engine processes and system tests run the compiled code. A
 * build without a change writes nothing.
 */
export function setup(): void {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  for (const command of [
    ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"],
    ["dashboard/build.mjs"],
  ])
    execFileSync(process.execPath, command, { cwd: root, stdio: "inherit" });
}
