import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LearnedPart } from "../../src/ranker/learned-part.js";
import type { Sample } from "../../src/scoring/requests/sample.js";
import { editManifest } from "./model.js";

const ORACLE = fileURLToPath(new URL("../oracle/learned", import.meta.url));

/** Trees for the shipped model, and what they say of samples: test/oracle/learned.py. */
export interface LearnedOracle {
  readonly part: LearnedPart;
  readonly file: { readonly sha256: string; readonly bytes: number };
  readonly cases: readonly (Sample & { readonly learned: number })[];
}

export function readLearnedOracle(): LearnedOracle {
  return JSON.parse(readFileSync(join(ORACLE, "learned.json"), "utf8"));
}

/** Puts the trees into a copy of the shipped model, as `python -m assay.learned` does; `change` alters the manifest's part. */
export function addLearned(folder: string, change: Partial<LearnedPart> = {}): void {
  const { part, file } = readLearnedOracle();
  copyFileSync(join(ORACLE, "learned.onnx"), join(folder, "learned.onnx"));
  editManifest(folder, (manifest) => ({
    ...manifest,
    files: { ...manifest.files, "learned.onnx": file },
    learned: { ...part, ...change },
  }));
}
