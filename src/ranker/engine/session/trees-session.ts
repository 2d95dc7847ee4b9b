import { join } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { AssayError } from "../../../errors.js";
import { checkDigest } from "../../digests.js";
import { widthOf } from "../../learned-part.js";
import type { ModelFolder } from "../../model-folder.js";

env.logLevel = "fatal";

/** A folder's trees, loaded. */
export interface TreesSession {
  /** Their answers (N) to a matrix float32 (N, F). */
  run(matrix: Float32Array): Promise<Float32Array>;
}

/**
 * Loads the trees on the CPU. It checks the file's digest first, because the file may have been replaced since the folder was
 * loaded.
 */
export async function openTrees(folder: ModelFolder): Promise<TreesSession> {
  const { learned } = folder.manifest;
  if (learned === undefined) throw new AssayError("internal", { detail: "The folder has no trees" });
  const { file, inputs } = learned;
  await checkDigest(folder, file);
  const session = await InferenceSession.create(join(folder.directory, file), {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const width = widthOf(inputs);
  return {
    async run(matrix) {
      const rows = matrix.length / width;
      const answer = await session.run({ inputs: new Tensor("float32", matrix, [rows, width]) });
      const values = answer.learned?.data;
      if (!(values instanceof Float32Array) || values.length !== rows) {
        throw new AssayError("model_invalid", { detail: `${file} does not answer learned (N, 1)` });
      }
      return values.slice(); // they may be in memory of the runtime, which cannot be passed to another thread
    },
  };
}
