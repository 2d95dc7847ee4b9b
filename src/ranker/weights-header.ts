import { z } from "zod";
import { AssayError, type Fault, faultsError } from "../errors.js";
import { shortened } from "./bounded.js";
import { JsonFault, parseJson } from "./json.js";
import { fileSchema, type Manifest, type Parameter, WEIGHTS_FILE, weightsPartSchema } from "./manifest.js";

/** The header of an upload: the part of the manifest that belongs to the weights, and digest and size of `weights.bin`. */
const headerSchema = z.strictObject({
  format: z.literal(1),
  weights: fileSchema,
  ...weightsPartSchema.shape,
});

export type WeightsHeader = z.infer<typeof headerSchema>;

/** Reads the header's bytes; throws `weights_invalid` with the path of each fault. */
export function readHeader(bytes: Uint8Array): WeightsHeader {
  let json: unknown;
  try {
    json = parseJson(bytes);
  } catch (cause) {
    if (!(cause instanceof JsonFault)) throw cause;
    const { path, message } = cause;
    if (path === "") throw weightsInvalid(`The header ${message}`);
    throw faultsError("weights_invalid", [{ path: shortened(path), message }]);
  }
  const parsed = headerSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw faultsError(
    "weights_invalid",
    parsed.error.issues.map(({ path, message }) => ({
      path: `/${path.join("/")}`,
      message: shortened(message),
    })),
  );
}

/**
 * The folder's manifest with the header's part in it. Throws `weights_invalid` if the weights belong to another architecture: if
 * the parameters, or their places in the file, differ from those that the folder's graphs read.
 */
export function mergeHeader(manifest: Manifest, header: WeightsHeader): Manifest {
  if (manifest.head.weight === null) {
    throw weightsInvalid(
      `Model ${manifest.name} was imported from an ONNX file, so the places of its parameters are unknown: export the checkpoint with python -m assay.export, or import the new checkpoint's ONNX file and reload the model`,
    );
  }
  const faults = [
    ...parameterFaults(manifest.parameters, header.parameters),
    ...selfTestFaults(manifest.classes, header.self_test),
  ];
  const bytes = manifest.files[WEIGHTS_FILE]?.bytes;
  if (header.weights.bytes !== bytes) {
    faults.push({
      path: "/weights/bytes",
      message: `is ${header.weights.bytes}; the folder's file has ${bytes}`,
    });
  }
  if (faults.length > 0) throw faultsError("weights_invalid", faults);
  const { weights, precision, self_test, provenance, metrics } = header;
  return {
    ...manifest,
    files: { ...manifest.files, [WEIGHTS_FILE]: weights },
    precision,
    // The tolerance depends on the graphs. New weights may make it stricter, but not looser.
    self_test: {
      ...self_test,
      tolerance: Math.min(self_test.tolerance, manifest.self_test.tolerance),
    },
    provenance,
    metrics,
  };
}

export function weightsInvalid(detail: string): AssayError {
  return new AssayError("weights_invalid", { detail });
}

function parameterFaults(known: readonly Parameter[], given: readonly Parameter[]): Fault[] {
  const left = new Map(known.map((parameter) => [parameter.name, parameter]));
  const faults = given.flatMap((parameter, index): Fault[] => {
    const path = `/parameters/${index}`;
    const expected = left.get(parameter.name);
    if (expected === undefined) {
      const twice = known.some(({ name }) => name === parameter.name);
      return [
        {
          path,
          message: `${parameter.name} ${twice ? "occurs twice" : "is unknown to the folder's graphs"}`,
        },
      ];
    }
    left.delete(parameter.name);
    return (["shape", "dtype", "layout", "offset", "length", "scale"] as const).flatMap((field) => {
      const [wanted, found] = [expected, parameter].map((of) => placed(of[field]));
      if (wanted === found) return [];
      return [
        {
          path: `${path}/${field}`,
          message: `of ${parameter.name} is ${found}; the folder's graphs read ${wanted}`,
        },
      ];
    });
  });
  for (const name of left.keys()) faults.push({ path: "/parameters", message: `lacks ${name}` });
  return faults;
}

/** A field as text. Equal values give equal texts, also if their keys have another order. */
function placed(value: Parameter[keyof Parameter]): string {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
  const { offset, length, axis } = value as NonNullable<Parameter["scale"]>;
  return JSON.stringify({ offset, length, axis });
}

function selfTestFaults(classes: number, { samples }: WeightsHeader["self_test"]): Fault[] {
  return samples.flatMap(({ logits }, index) =>
    logits.length === classes
      ? []
      : [
          {
            path: `/self_test/samples/${index}/logits`,
            message: `has ${logits.length} entries; the model has ${classes} logits`,
          },
        ],
  );
}
