import type { LastLayer } from "./last-layer.js";
import {
  encodeModel,
  type GraphProto,
  type ModelProto,
  makeMatrixInfo,
  makeNode,
  makeValueInfo,
  type NodeProto,
} from "./onnx.js";

/** A model whose graph has the values `logits` (B, K) and `features` (B, H). */
export interface ExposedModel {
  /** Name of the weight in the graph. The checks read weight, bias and stock output too. */
  readonly weight: string;
  readonly bias: string | null;
  /** The stock graph's own output. */
  readonly stock: string;
  /** The bytes of the model with the outputs logits and features. */
  forward(classes: number, features: number): Uint8Array;
  /** The same with weight, bias and stock output as further outputs. */
  probe(): Uint8Array;
}

const LOGITS = "logits";
const FEATURES = "features";

/**
 * Gives the last layer's output and input the names under which Assay reads them. Weights and nodes stay as they are. A value
 * that already has one of the names is renamed.
 */
export function exposeFeatures(
  model: ModelProto & { graph: GraphProto },
  layer: LastLayer,
  stockOutput: string,
): ExposedModel {
  const { graph } = model;
  const moved = (value: string): string =>
    value === LOGITS || value === FEATURES ? `${value}.stock` : value;
  renameValues(graph, moved);
  for (const [value, name] of [
    [layer.output, LOGITS],
    [layer.features, FEATURES],
  ] as const) {
    graph.node.push(
      layer.taken === null
        ? makeNode({ opType: "Identity", input: [moved(value)], output: [name] })
        : // The token can be picked before or after a product over the last axis, with the same result.
          makeNode({
            ...pick(layer.taken),
            input: [moved(value), moved(layer.taken.input[1] ?? "")],
            output: [name],
          }),
    );
  }
  const weight = moved(layer.weight);
  const bias = layer.bias === null ? null : moved(layer.bias);
  const stock = moved(stockOutput);
  const rows = graph.input[0]?.type?.tensorType?.shape?.dim[0]?.dimParam || "batch_size";

  return {
    weight,
    bias,
    stock,
    forward(classes, features) {
      graph.output = [makeMatrixInfo(LOGITS, rows, classes), makeMatrixInfo(FEATURES, rows, features)];
      return encodeModel(model);
    },
    probe() {
      const names = [LOGITS, FEATURES, weight, ...(bias === null ? [] : [bias]), stock];
      graph.output = names.map(makeValueInfo);
      return encodeModel(model);
    },
  };
}

function pick({ opType, attribute }: NodeProto): Pick<NodeProto, "opType" | "attribute"> {
  return { opType, attribute };
}

/** Renames values everywhere in the graph and in its subgraphs. */
function renameValues(graph: GraphProto, name: (value: string) => string): void {
  for (const named of [...graph.input, ...graph.initializer, ...graph.valueInfo])
    named.name = name(named.name);
  for (const node of graph.node) {
    node.input = node.input.map(name);
    node.output = node.output.map(name);
    for (const { g, graphs } of node.attribute)
      for (const inner of [...(g ? [g] : []), ...graphs]) renameValues(inner, name);
  }
}
