import { AssayError } from "../../../errors.js";
import type { Manifest } from "../../manifest.js";
import { ASKED_MATRICES, type AskedMatrix, MATRIX_NAMES } from "../../port.js";
import type { Matrices } from "../protocol.js";
import { checkedGrams } from "./grams.js";
import { type PaddedBatch, textInputs } from "./padding.js";
import { type Operands, openSession, outputNamed, type SessionOptions } from "./session.js";

/** A graph that answers each row of a batch: forward, norms, tangent. */
export interface RowsSession {
  /**
   * The graph's answers for the rows of the batch, copied out of the runtime's memory. `direction` holds the further inputs of
   * `tangent`; it is empty for the other graphs.
   */
  run(batch: PaddedBatch, asked: readonly AskedMatrix[], direction: Operands): Promise<Matrices>;
}

export async function openRowsSession(manifest: Manifest, options: SessionOptions): Promise<RowsSession> {
  const session = await openSession(manifest, options);
  for (const name of manifest.embedding === undefined ? ["features"] : ["features", "embedding"]) {
    if (!session.outputs.includes(name)) {
      throw new AssayError("model_invalid", {
        detail: `${options.graph}.onnx has no output "${name}": make the folder's graphs again with python -m assay.export graphs`,
      });
    }
  }
  const answered = (["logits", ...MATRIX_NAMES] as const).filter((name) => session.outputs.includes(name));
  return {
    async run(batch, asked, direction) {
      const wanted = answered.filter((name) => isWanted(name, asked));
      const answer = await session.run({ ...textInputs(batch), ...direction }, ["features", ...wanted]);
      const {
        rows,
        shape: [height],
      } = batch;
      const hidden = outputNamed(answer, "features");
      const outputs: { -readonly [M in keyof Matrices]: Float32Array } = {
        featureNormsSquared: rowNormsSquared(hidden, hidden.length / height, rows),
      };
      for (const name of wanted) outputs[name] = firstRows(outputNamed(answer, name), height, rows);
      if (outputs.gram !== undefined) outputs.gram = checkedGrams(outputs.gram, manifest.classes);
      return outputs;
    },
  };
}

function isWanted(name: string, asked: readonly string[]): boolean {
  return asked.includes(name) || !ASKED_MATRICES.some((matrix) => matrix === name);
}

function firstRows(matrix: Float32Array, height: number, rows: number): Float32Array {
  return matrix.slice(0, (matrix.length / height) * rows);
}

/** (N) sums of squares of the first N rows of a matrix, summed in float64. */
function rowNormsSquared(matrix: Float32Array, width: number, rows: number): Float32Array {
  const norms = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let i = r * width; i < (r + 1) * width; i++) sum += (matrix[i] as number) ** 2;
    norms[r] = sum;
  }
  return norms;
}
