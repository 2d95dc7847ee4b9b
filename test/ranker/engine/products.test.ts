import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { multiplied, takeProducts } from "../../../src/ranker/engine/process/products.js";
import {
  FLOAT,
  type GraphProto,
  INT8,
  makeExternalTensor,
  makeNode,
  makeValueInfo,
  type TensorProto,
} from "../../../src/ranker/import/onnx.js";

function tensor(name: string, dims: readonly number[], dataType = FLOAT): TensorProto {
  const made = makeExternalTensor(name, dims.map(BigInt), []);
  made.dataType = dataType;
  return made;
}

/** y = x · (Cast(w) × s), and what the case adds. */
function graphOf(given: Partial<Pick<GraphProto, "node" | "initializer">> = {}): GraphProto {
  const { node = [], initializer = [tensor("w", [2, 3], INT8), tensor("s", [3])] } = given;
  const nodes = [
    makeNode({ opType: "Cast", input: ["w"], output: ["c"] }),
    makeNode({ opType: "Mul", input: ["c", "s"], output: ["p"] }),
    makeNode({ opType: "MatMul", input: ["x", "p"], output: ["y"] }),
    ...node,
  ];
  const inAndOut = { input: [makeValueInfo("x")], output: [makeValueInfo("y")], valueInfo: [] };
  return { $typeName: "onnx.GraphProto", node: nodes, initializer, ...inAndOut } as GraphProto;
}

const opsOf = ({ node }: GraphProto): string[] => node.map(({ opType }) => opType);
const tensorsOf = ({ initializer }: GraphProto): string[] => initializer.map(({ name }) => name);

describe("products of int8 weights and their scales", () => {
  it("are taken out of the graph with everything that only they read", () => {
    const graph = graphOf();
    const [product, ...others] = takeProducts(graph);
    expect([product?.name, product?.weight.name, product?.scale.name]).toEqual(["p", "w", "s"]);
    expect(others).toEqual([]);
    expect(opsOf(graph)).toEqual(["MatMul"]);
    expect(tensorsOf(graph)).toEqual([]);
  });

  it("leave what other nodes read too", () => {
    const graph = graphOf({
      node: [
        makeNode({ opType: "Gather", input: ["w", "ids"], output: ["rows"] }),
        makeNode({ opType: "Identity", input: ["c"], output: ["cast"] }),
      ],
    });
    expect(takeProducts(graph)).toHaveLength(1);
    expect(opsOf(graph)).toEqual(["Cast", "MatMul", "Gather", "Identity"]);
    expect(tensorsOf(graph)).toEqual(["w"]);
  });

  it.each([
    ["the scale's shape does not broadcast to the matrix", [tensor("w", [2, 3], INT8), tensor("s", [2])]],
    ["the weight is no matrix", [tensor("w", [1, 2, 3], INT8), tensor("s", [3])]],
    ["the weight is float32", [tensor("w", [2, 3]), tensor("s", [3])]],
    [
      "the graph holds the scale itself",
      [tensor("w", [2, 3], INT8), { ...tensor("s", [3]), dataLocation: 0 }],
    ],
  ])("stay in the graph where %s", (_why, initializer) => {
    const graph = graphOf({ initializer });
    expect(takeProducts(graph)).toEqual([]);
    expect(opsOf(graph)).toEqual(["Cast", "Mul", "MatMul"]);
    expect(tensorsOf(graph)).toEqual(["w", "s"]);
  });

  it("are each entry times the scale of its row, its column or the matrix, rounded to float32 once", () => {
    const shapes = fc.constantFrom<readonly number[]>([], [1], [3], [1, 3], [2, 1], [2, 3], [1, 1]);
    const int8 = fc.integer({ min: -128, max: 127 });
    fc.assert(
      fc.property(
        shapes,
        fc.array(int8, { minLength: 6, maxLength: 6 }),
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 6, maxLength: 6 }),
        (dims, weights, floats) => {
          const [down = 1, across = 1] = dims.length === 2 ? dims : [1, ...dims];
          const scales = Float32Array.from(floats.slice(0, down * across));
          const product = { weight: tensor("w", [2, 3], INT8), scale: tensor("s", dims) };
          const found = multiplied(product, Int8Array.from(weights), scales);
          const expected = weights.map((weight, at) => {
            const [row, column] = [Math.floor(at / 3), at % 3];
            const scale = scales[Math.min(row, down - 1) * across + Math.min(column, across - 1)] as number;
            return Math.fround(weight * scale);
          });
          expect([...found]).toEqual(expected);
        },
      ),
    );
  });
});
