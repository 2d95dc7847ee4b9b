import { AssayError } from "../../errors.js";
import type { GraphProto, NodeProto } from "./onnx.js";

/** The linear layer that computes the logits: output = features · weight (+ bias). The names are those of values in the graph. */
export interface LastLayer {
  /** The node of the product. */
  readonly product: NodeProto;
  /** (B, H); or (B, T, H) if `taken` picks a token. */
  readonly features: string;
  /** (H, K), or (K, H) if `transposed`. */
  readonly weight: string;
  readonly transposed: boolean;
  /** (K); null for a layer without bias. */
  readonly bias: string | null;
  /** (B, K); or (B, T, K) if `taken` picks a token. */
  readonly output: string;
  /** The Gather that picks one token of the layer's output, if the layer runs at every token. */
  readonly taken: NodeProto | null;
  /** The activation after the layer. The logits are its input. */
  readonly activation: "Sigmoid" | "Softmax" | null;
}

/** Operators that answer the numbers of their input in another shape or type. */
const SAME_NUMBERS = ["Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Dropout"];

/**
 * Walks back from an output of the graph to the linear layer that computes it. Throws `model_invalid` naming the first node that
 * is not supported on this way.
 */
export function findLastLayer(graph: GraphProto, output: string): LastLayer {
  const producers = new Map(graph.node.flatMap((node) => node.output.map((value) => [value, node])));
  const onText = valuesOnText(graph);

  function producerOf(value: string): NodeProto {
    const node = producers.get(value);
    if (node !== undefined && onText.has(value)) return node;
    throw refused(`output ${output} is not a product with weights: it only passes ${value} on`);
  }

  const { value, taken, activation } = unwrap(output, producerOf, onText);
  let node = producerOf(value);
  let bias: string | null = null;
  if (node.opType === "Add") {
    const [left, right] = node.input as [string, string];
    if (onText.has(left) && onText.has(right)) {
      const branches = [left, right].map((branch) => describeNode(producerOf(branch))).join(" and ");
      throw refused(
        `output ${output} adds two branches that both depend on the text (${branches}), so there is no single last layer`,
      );
    }
    const summand = onText.has(left) ? left : right;
    bias = onText.has(left) ? right : left;
    node = producerOf(summand);
  }
  const plain = node.domain === "" && (node.opType === "MatMul" || (node.opType === "Gemm" && bias === null));
  if (!plain) {
    throw refused(
      `${describeNode(node)} computes output ${output}; the last layer has to be a Gemm, or a MatMul and an Add${hint(node)}`,
    );
  }
  const [features, weight, gemmBias = ""] = node.input as [string, string, string?];
  if (!onText.has(features) || onText.has(weight)) {
    throw refused(
      `${describeNode(node)} computes output ${output} and is not a product of features with weights`,
    );
  }
  bias ??= gemmBias === "" ? null : gemmBias;
  const transposed = node.opType === "Gemm" && isTransposed(node, bias !== null);
  return { product: node, features, weight, transposed, bias, output: value, taken, activation };
}

/**
 * The output of the layer, before the nodes that may follow it: changes of shape or type, one activation, the pick of one token.
 */
function unwrap(
  output: string,
  producerOf: (value: string) => NodeProto,
  onText: ReadonlySet<string>,
): { value: string; taken: NodeProto | null; activation: LastLayer["activation"] } {
  let value = output;
  let taken: NodeProto | null = null;
  let activation: LastLayer["activation"] = null;
  for (;;) {
    const node = producerOf(value);
    const [data, index = ""] = node.input as [string, string?];
    const { opType } = node;
    if (opType === "Sigmoid" || opType === "Softmax") {
      if (activation !== null)
        throw refused(
          `output ${output} has two activations after its last layer, ${activation} and ${opType}`,
        );
      activation = opType;
    } else if (opType === "Gather" && taken === null && !onText.has(index)) taken = node;
    else if (!SAME_NUMBERS.includes(opType)) return { value, taken, activation };
    value = data;
  }
}

function hint({ opType }: NodeProto): string {
  return /LayerNormalization$/.test(opType)
    ? " (an encoder without a head ends with this node; it does not rank)"
    : "";
}

/** Whether the Gemm takes its weight as (K, H). Throws `model_invalid` if it does more than a linear layer. */
function isTransposed(node: NodeProto, hasBias: boolean): boolean {
  const attributes = new Map(node.attribute.map((attribute) => [attribute.name, attribute]));
  const alpha = attributes.get("alpha")?.f ?? 1;
  const beta = hasBias ? (attributes.get("beta")?.f ?? 1) : 1;
  if (alpha !== 1 || beta !== 1 || (attributes.get("transA")?.i ?? 0n) !== 0n) {
    throw refused(`${describeNode(node)} scales or transposes its features`);
  }
  return (attributes.get("transB")?.i ?? 0n) !== 0n;
}

/** All values that depend on the graph's inputs. ONNX lists nodes in their order of execution, so one pass finds them. */
function valuesOnText({ input, initializer, node }: GraphProto): Set<string> {
  // Before IR version 4 the inputs also listed the weights.
  const weights = new Set(initializer.map(({ name }) => name));
  const found = new Set(input.map(({ name }) => name).filter((name) => !weights.has(name)));
  for (const { input: inputs, output: outputs, attribute } of node) {
    // A subgraph reads outer values by name, and the node's inputs do not list them.
    const holdsGraph = attribute.some(({ g, graphs }) => g !== undefined || graphs.length > 0);
    if (holdsGraph || inputs.some((value) => found.has(value))) for (const value of outputs) found.add(value);
  }
  return found;
}

/** "Gemm /classifier/Gemm": the operator, with its domain if that is not ONNX's own, and the node's name or its first output. */
export function describeNode({ domain, opType, name, output }: NodeProto): string {
  return `${domain === "" ? "" : `${domain}.`}${opType} ${name || output[0]}`;
}

function refused(detail: string): AssayError {
  return new AssayError("model_invalid", { detail });
}
