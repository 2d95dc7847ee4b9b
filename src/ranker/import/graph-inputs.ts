import { AssayError } from "../../errors.js";
import type { Manifest } from "../manifest.js";
import { type GraphProto, INT64 } from "./onnx.js";

const KNOWN: readonly Manifest["inputs"][number][] = ["input_ids", "attention_mask", "token_type_ids"];

/**
 * The graph's inputs, each int64 (B, T) with both sizes free. Throws `model_invalid` naming an input that the service does not
 * know, that has another type or a fixed size, or that is missing.
 */
export function readGraphInputs({ input, initializer }: GraphProto): Manifest["inputs"] {
  const weights = new Set(initializer.map(({ name }) => name));
  const inputs = input.filter(({ name }) => !weights.has(name));
  for (const { name, type } of inputs) {
    if (!KNOWN.some((known) => known === name)) {
      throw refused(`the graph has an input ${name}; Assay knows only ${KNOWN.join(", ")}`);
    }
    const { elemType, shape } = type?.tensorType ?? {};
    if (elemType !== INT64) throw refused(`input ${name} is not int64`);
    if (shape === undefined) continue; // no shape is given, so no size is fixed
    const sizes = shape.dim.map(({ dimValue, dimParam }) =>
      dimValue > 0n ? String(dimValue) : dimParam || "?",
    );
    if (sizes.length !== 2)
      throw refused(`input ${name} has the shape (${sizes.join(", ")}) instead of (batch, tokens)`);
    if (shape.dim.some(({ dimValue }) => dimValue > 0n)) {
      throw refused(
        `input ${name} has a fixed size (${sizes.join(", ")}): export it with dynamic axes for batch and tokens`,
      );
    }
  }
  const names = inputs.map(({ name }) => name);
  const missing = ["input_ids", "attention_mask"].find((name) => !names.includes(name));
  if (missing !== undefined) throw refused(`the graph has no input ${missing}; it has ${names.join(", ")}`);
  return KNOWN.filter((name) => names.includes(name));
}

function refused(detail: string): AssayError {
  return new AssayError("model_invalid", { detail });
}
