import { create, createFileRegistry, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { AssayError, messageOf } from "../../errors.js";

/** The messages of `onnx.proto` (onnx 1.23, ONNX IR), with the fields that an import reads or writes. Other fields are kept. */
export interface ModelProto extends Message {
  opsetImport: { domain: string; version: bigint }[];
  graph?: GraphProto;
}

export interface GraphProto extends Message {
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
}

export interface NodeProto extends Message {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  /** "" means ai.onnx. */
  domain: string;
  attribute: AttributeProto[];
}

export interface AttributeProto extends Message {
  name: string;
  f: number;
  i: bigint;
  t?: TensorProto;
  g?: GraphProto;
  graphs: GraphProto[];
}

export interface TensorProto extends Message {
  dims: bigint[];
  dataType: number;
  int64Data: bigint[];
  name: string;
  rawData: Uint8Array;
  externalData: Entry[];
  /** 1: the data are in a separate file, which `externalData` names. */
  dataLocation: number;
}

export interface Entry extends Message {
  key: string;
  value: string;
}

export interface ValueInfoProto extends Message {
  name: string;
  type?: TypeProto;
}

export interface TypeProto extends Message {
  tensorType?: TensorTypeProto;
}

export interface TensorTypeProto extends Message {
  elemType: number;
  shape?: TensorShapeProto;
}

export interface TensorShapeProto extends Message {
  dim: DimensionProto[];
}

export interface DimensionProto extends Message {
  dimValue: bigint;
  dimParam: string;
}

/** Element types of tensors. */
export const FLOAT = 1;
export const INT8 = 3;
export const INT64 = 7;

/** `data_location` of a tensor whose data are in another file. */
export const EXTERNAL = 1;

const { STRING, BYTES, FLOAT: FLOAT32, INT32, INT64: INT64_FIELD, MESSAGE } = Type;

/** Field name → its number, its type or the name of its message, and a mark if it is repeated. */
const FIELDS: Record<string, Record<string, [number, Type | string, "repeated"?]>> = {
  ModelProto: { graph: [7, "GraphProto"], opset_import: [8, "OperatorSetIdProto", "repeated"] },
  OperatorSetIdProto: { domain: [1, STRING], version: [2, INT64_FIELD] },
  GraphProto: {
    node: [1, "NodeProto", "repeated"],
    initializer: [5, "TensorProto", "repeated"],
    input: [11, "ValueInfoProto", "repeated"],
    output: [12, "ValueInfoProto", "repeated"],
    value_info: [13, "ValueInfoProto", "repeated"],
  },
  NodeProto: {
    input: [1, STRING, "repeated"],
    output: [2, STRING, "repeated"],
    name: [3, STRING],
    op_type: [4, STRING],
    attribute: [5, "AttributeProto", "repeated"],
    domain: [7, STRING],
  },
  AttributeProto: {
    name: [1, STRING],
    f: [2, FLOAT32],
    i: [3, INT64_FIELD],
    t: [5, "TensorProto"],
    g: [6, "GraphProto"],
    graphs: [11, "GraphProto", "repeated"],
  },
  TensorProto: {
    dims: [1, INT64_FIELD, "repeated"],
    data_type: [2, INT32],
    int64_data: [7, INT64_FIELD, "repeated"],
    name: [8, STRING],
    raw_data: [9, BYTES],
    external_data: [13, "StringStringEntryProto", "repeated"],
    data_location: [14, INT32],
  },
  StringStringEntryProto: { key: [1, STRING], value: [2, STRING] },
  ValueInfoProto: { name: [1, STRING], type: [2, "TypeProto"] },
  TypeProto: { tensor_type: [1, "TensorTypeProto"] },
  TensorTypeProto: { elem_type: [1, INT32], shape: [2, "TensorShapeProto"] },
  TensorShapeProto: { dim: [1, "DimensionProto", "repeated"] },
  DimensionProto: { dim_value: [1, INT64_FIELD], dim_param: [2, STRING] },
};

const registry = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "onnx.proto",
    package: "onnx",
    syntax: "proto2", // keeps whether an optional field is present
    messageType: Object.entries(FIELDS).map(([name, fields]) => ({
      name,
      field: Object.entries(fields).map(([field, [number, type, repeated]]) => ({
        name: field,
        number,
        label: repeated ? Label.REPEATED : Label.OPTIONAL,
        ...(typeof type === "string" ? { type: MESSAGE, typeName: `.onnx.${type}` } : { type }),
      })),
    })),
  }),
  () => undefined,
);

/** Decodes a model. Large tensors are views of `bytes`, not copies. Throws `model_invalid`. */
export function decodeModel(bytes: Uint8Array): ModelProto & { graph: GraphProto } {
  let model: ModelProto;
  try {
    model = fromBinary(schema("ModelProto"), bytes);
  } catch (cause) {
    throw new AssayError("model_invalid", {
      detail: `is not an ONNX model: ${messageOf(cause)}`,
      cause,
    });
  }
  if (holdsGraph(model)) return model;
  throw new AssayError("model_invalid", { detail: "is not an ONNX model: it holds no graph" });
}

function holdsGraph(model: ModelProto): model is ModelProto & { graph: GraphProto } {
  return model.graph !== undefined && model.graph.node.length > 0;
}

/** The bytes of a model, with the fields that `FIELDS` does not name. */
export function encodeModel(model: ModelProto): Uint8Array {
  return toBinary(schema("ModelProto"), model);
}

export function makeNode(
  init: Pick<NodeProto, "input" | "output" | "opType"> & Partial<Pick<NodeProto, "attribute">>,
): NodeProto {
  return create(schema("NodeProto"), init);
}

export function makeEntry(key: string, value: string): Entry {
  return create(schema("StringStringEntryProto"), { key, value });
}

/** A float32 tensor whose data are where `externalData` says. */
export function makeExternalTensor(
  name: string,
  dims: readonly bigint[],
  externalData: readonly Entry[],
): TensorProto {
  const place = { externalData: [...externalData], dataLocation: EXTERNAL };
  return create(schema("TensorProto"), { name, dims: [...dims], dataType: FLOAT, ...place });
}

/** An entry for a graph's list of outputs that has only a name. */
export function makeValueInfo(name: string): ValueInfoProto {
  return create(schema("ValueInfoProto"), { name });
}

/** An entry float32 (rows, columns) for a graph's list of outputs. `rows` is a name, because the number of rows is free. */
export function makeMatrixInfo(name: string, rows: string, columns: number): ValueInfoProto {
  const shape = { dim: [{ dimParam: rows }, { dimValue: BigInt(columns) }] };
  return create(schema("ValueInfoProto"), { name, type: { tensorType: { elemType: FLOAT, shape } } });
}

/** The messages that are decoded or created here, by name. */
interface Messages {
  readonly ModelProto: ModelProto;
  readonly NodeProto: NodeProto;
  readonly TensorProto: TensorProto;
  readonly StringStringEntryProto: Entry;
  readonly ValueInfoProto: ValueInfoProto;
}

function schema<Name extends keyof Messages>(name: Name): GenMessage<Messages[Name]> {
  const found = registry.getMessage(`onnx.${name}`);
  if (found === undefined) throw new Error(`no message is named ${name}`);
  // The interfaces above match `FIELDS`. The library can derive such types only from generated code.
  return found as GenMessage<Messages[Name]>;
}
