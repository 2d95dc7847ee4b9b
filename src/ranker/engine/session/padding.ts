import type { Manifest } from "../../manifest.js";
import type { TokenisedText } from "../../tokeniser.js";
import type { Device } from "../protocol.js";
import type { Operands } from "./session.js";

/**
 * A batch in a session's format: each input is (B, T) row-major. Rows from `rows` on fill the batch up; their outputs are
 * ignored.
 */
export interface PaddedBatch {
  readonly rows: number;
  readonly shape: readonly [number, number];
  readonly inputs: Readonly<Record<string, BigInt64Array<ArrayBuffer>>>;
}

/**
 * Pads rows to one rectangle. A GPU gets one of few shapes, because its memory arena keeps a block for every shape that it has
 * seen. The CPU gets the exact shape, because it would compute the padding too.
 */
export function padBatch(
  rows: readonly TokenisedText[],
  { inputs: names, padding, max_tokens: tokensMax }: Pick<Manifest, "inputs" | "padding" | "max_tokens">,
  device: Device,
): PaddedBatch {
  const shape = shapeOf(rows, tokensMax, device);
  const inputs: Record<string, BigInt64Array<ArrayBuffer>> = {};
  for (const name of names) inputs[name] = padInput(rows, shape, name, padding);
  return { rows: rows.length, shape, inputs };
}

/** The batch as a graph's inputs. */
export function textInputs({ shape, inputs }: PaddedBatch): Operands {
  return Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, { data, shape }]));
}

function shapeOf(rows: readonly TokenisedText[], tokensMax: number, { kind }: Device): [number, number] {
  const longest = rows.reduce((length, row) => Math.max(length, row.ids.length), 0);
  if (kind === "cpu") return [rows.length, longest];
  return [powerOfTwoFrom(rows.length), Math.min(tokensMax, Math.ceil(longest / 32) * 32)];
}

function powerOfTwoFrom(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** (B × T) values of one input. A loop fills them, because `BigInt64Array.from` is 90 times slower. */
function padInput(
  rows: readonly TokenisedText[],
  [height, width]: readonly [number, number],
  name: Manifest["inputs"][number],
  padding: Manifest["padding"],
): BigInt64Array<ArrayBuffer> {
  const data = new BigInt64Array(height * width);
  const filler = BigInt(name === "input_ids" ? padding.id : name === "token_type_ids" ? padding.type_id : 0);
  if (filler !== 0n) data.fill(filler);
  for (let r = 0; r < height; r++) {
    // Rows that fill the batch up repeat the last row, because attention over padding only has nothing to normalise.
    const row = rows[Math.min(r, rows.length - 1)] as TokenisedText;
    const source = name === "input_ids" ? row.ids : row.typeIds;
    for (let t = 0; t < row.ids.length; t++) {
      data[r * width + t] = name === "attention_mask" ? 1n : BigInt(source[t] as number);
    }
  }
  return data;
}
