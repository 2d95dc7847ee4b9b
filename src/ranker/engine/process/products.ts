import { EXTERNAL, FLOAT, type GraphProto, INT8, type TensorProto } from "../../import/onnx.js";

/** A product that a graph forms of two of its tensors: an int8 matrix times its scales. */
export interface Product {
  /** Name of the result in the graph. */
  readonly name: string;
  readonly weight: TensorProto; // int8 (R, C)
  readonly scale: TensorProto; // float32, one for each row, for each column, or for the matrix
}

/**
 * Takes the nodes `Mul(Cast(weight), scale)` out of a graph, with the tensors that nothing else reads. The graph then needs tensors
 * of the products' names.
 */
export function takeProducts(graph: GraphProto): Product[] {
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const casts = new Map<string, TensorProto>();
  for (const { opType, input, output } of graph.node) {
    const tensor = tensors.get(input[0] ?? "");
    if (opType === "Cast" && tensor?.dataType === INT8) casts.set(output[0] ?? "", tensor);
  }
  const products = new Map<string, Product>();
  for (const { opType, input, output } of graph.node) {
    const weight = casts.get(input[0] ?? "");
    const scale = tensors.get(input[1] ?? "");
    const [name] = output;
    if (opType !== "Mul" || weight === undefined || scale?.dataType !== FLOAT || name === undefined) continue;
    if (isScaleOf(scale, weight)) products.set(name, { name, weight, scale });
  }
  graph.node = graph.node.filter(({ output }) => !products.has(output[0] ?? ""));
  const read = namesRead(graph);
  graph.node = graph.node.filter(({ output }) => !casts.has(output[0] ?? "") || read.has(output[0] ?? ""));
  const readStill = namesRead(graph);
  graph.initializer = graph.initializer.filter(({ name }) => readStill.has(name));
  return [...products.values()];
}

/** Whether both are in files, and the scale's shape broadcasts to the matrix (ONNX, multidirectional broadcasting). */
function isScaleOf(scale: TensorProto, weight: TensorProto): boolean {
  const [rows, columns] = weight.dims;
  const [across, down] = [scale.dims.at(-1) ?? 1n, scale.dims.at(-2) ?? 1n];
  return (
    weight.dataLocation === EXTERNAL &&
    scale.dataLocation === EXTERNAL &&
    weight.dims.length === 2 &&
    scale.dims.length <= 2 &&
    (across === 1n || across === columns) &&
    (down === 1n || down === rows)
  );
}

/** Names that nodes of the graph and of its subgraphs read, and its outputs. */
function namesRead({ node, output }: GraphProto): Set<string> {
  const names = new Set(output.map(({ name }) => name));
  for (const { input, attribute } of node) {
    for (const name of input) names.add(name);
    for (const { g, graphs } of attribute) {
      for (const inner of [...(g ? [g] : []), ...graphs])
        for (const name of namesRead(inner)) names.add(name);
    }
  }
  return names;
}

/** weight (R, C) × scale, float32, as ONNX Runtime computes it. */
export function multiplied(
  { weight, scale }: Pick<Product, "weight" | "scale">,
  weights: Int8Array,
  scales: Float32Array,
): Float32Array<ArrayBuffer> {
  const [rows = 0, columns = 0] = weight.dims.map(Number);
  const [across, down] = [Number(scale.dims.at(-1) ?? 1n), Number(scale.dims.at(-2) ?? 1n)];
  const product = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = down === 1 ? 0 : row * across;
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      product[at] = (weights[at] as number) * (scales[from + (across === 1 ? 0 : column)] as number);
    }
  }
  return product;
}
