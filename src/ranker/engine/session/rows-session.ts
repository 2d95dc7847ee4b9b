import { AssayError } from "../../../errors.js";
import type { ModelFolder } from "../../model-folder.js";
import type { Matrices } from "../protocol.js";
import { checkedGrams } from "./grams.js";
import { type PaddedBatch, textInputs } from "./padding.js";
import { type Operands, openSession, outputNamed, type SessionOptions } from "./session.js";

/** A graph that answers each row of a batch: forward, norms, tangent. */
export interface RowsSession {
  /**
   * What the graph says of the batch's rows, in memory of its own; features only where they are asked for. `direction` are the
   * inputs of `tangent` beside the text's, and nothing for the other graphs.
   */
  run(batch: PaddedBatch, features: boolean, direction: Operands): Promise<Matrices>;
}

/** The graphs' names for what they answer beside features, and `Outputs`' names for it. */
const NAMES = { logits: "logits", gram: "grams", tangent: "tangents" } as const;

export async function openRowsSession(folder: ModelFolder, options: SessionOptions): Promise<RowsSession> {
  const session = await openSession(folder, options);
  if (!session.outputs.includes("features")) {
    throw new AssayError("model_invalid", {
      detail: `${options.graph}.onnx has no output "features": draw the folder's graphs again (python -m assay.export graphs)`,
    });
  }
  return {
    async run(batch, features, direction) {
      const answer = await session.run({ ...textInputs(batch), ...direction });
      const {
        rows,
        shape: [height],
      } = batch;
      const hidden = outputNamed(answer, "features");
      const outputs: Record<string, Float32Array> = {
        featureNormsSquared: rowNormsSquared(hidden, hidden.length / height, rows),
        ...(features && { features: firstRows(hidden, height, rows) }),
      };
      for (const [name, key] of Object.entries(NAMES)) {
        const matrix = answer[name];
        if (matrix !== undefined) outputs[key] = firstRows(matrix, height, rows);
      }
      if (outputs.grams !== undefined) outputs.grams = checkedGrams(outputs.grams, folder.manifest.classes);
      return outputs;
    },
  };
}

function firstRows(matrix: Float32Array, height: number, rows: number): Float32Array {
  return matrix.slice(0, (matrix.length / height) * rows);
}

/** (N) sums of squares of the first N rows of a matrix, added in float64. */
function rowNormsSquared(matrix: Float32Array, width: number, rows: number): Float32Array {
  const norms = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let i = r * width; i < (r + 1) * width; i++) sum += (matrix[i] as number) ** 2;
    norms[r] = sum;
  }
  return norms;
}
