import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { post } from "../support/post.js";
import { startService } from "../support/service.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NEEDED = [
  ...["LICENSE", "NOTICE", "README.md", "package.json"],
  ...[
    "bin/assay.js",
    "dist/cli.js",
    "dist/ranker/engine/process/process.js",
    "openapi/openapi.json",
    "dist/dashboard/index.html",
  ],
  ...["models/README.md", "models/default/model.json", "models/default/weights.bin"],
];
/** What a user of the package does not run. */
const NOT_SHIPPED = /^(src|test|python|bench|docs|examples)\/|\.map$|\.tsbuildinfo$|\.d\.ts$|node_modules/;
const MEGABYTES_MAX = 25;

it("the npm package has what it needs, and serves the shipped model from an empty folder", async () => {
  const folder = temporaryFolder();
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: ROOT, stdio: "pipe" });
  const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "no tarball");
  const files = execFileSync("tar", ["tzf", tarball], { encoding: "utf8" })
    .split("\n")
    .map((name) => name.replace("package/", ""));
  expect(NEEDED.filter((name) => !files.includes(name))).toEqual([]);
  expect(files.filter((name) => NOT_SHIPPED.test(name))).toEqual([]);
  expect(statSync(tarball).size / 1e6).toBeLessThan(MEGABYTES_MAX);

  const empty = join(folder, "empty");
  mkdirSync(empty);
  writeFileSync(join(empty, "package.json"), "{}");
  // As the documentation says: a script of onnxruntime-node would fetch CUDA libraries from elsewhere.
  const install = ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", tarball];
  execFileSync("npm", install, { cwd: empty, stdio: "pipe" });
  const service = await startService({ cli: join(empty, "node_modules/assay/bin/assay.js") });
  const { status, body } = await post(service, "/v1/score", { samples: [{ text: "usb c cable", label: 1 }] });
  expect(status).toBe(200);
  expect(body.model.name).toBe("default");
  expect(body.results[0].loss).toBeGreaterThan(0);
  expect(await service.stop()).toBe(0);
});
