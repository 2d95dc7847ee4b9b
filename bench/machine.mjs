import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { ROOT } from "./options.mjs";

/** What the figures were measured on. */
export function describeMachine() {
  const [cpu] = os.cpus();
  return {
    cpu: cpu.model.trim(),
    cores: os.availableParallelism(),
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    architecture: os.arch(),
  };
}

/** The versions that decide the figures. */
export function describeVersions(model) {
  const version = (path) => JSON.parse(readFileSync(join(ROOT, path), "utf8")).version;
  const manifest = JSON.parse(readFileSync(join(model, "model.json"), "utf8"));
  return {
    assay: version("package.json"),
    node: process.version,
    "onnxruntime-node": version("node_modules/onnxruntime-node/package.json"),
    model: manifest.name,
    weights_sha256: manifest.files["weights.bin"].sha256,
  };
}

/** Short hash of the commit, and whether what is measured differs from it. */
export function describeCommit() {
  const git = (...args) => execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  const measured = ["src", "models", "package.json", "package-lock.json"];
  return {
    commit: git("rev-parse", "--short=7", "HEAD"),
    changed: git("status", "--porcelain", "--", ...measured) !== "",
  };
}
