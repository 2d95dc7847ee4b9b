import { z } from "zod";
import { AssayError, type Fault, faultsError } from "../errors.js";
import { shortened } from "./bounded.js";
import { JsonFault, parseJson } from "./json.js";
import { fileSchema, type Manifest, type Parameter, WEIGHTS_FILE, weightsPartSchema } from "./manifest.js";

/** The header of an upload: the manifest's part that belongs to the weights, with digest and size of `weights.bin`. */
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
 * The folder's manifest with the header's part in it. Throws `weights_invalid` where the weights are those of another
 * architecture: other parameters, or others' places in the file, than the folder's graphs read.
 */
export function mergeHeader(manifest: Manifest, header: WeightsHeader): Manifest {
  if (manifest.head.weight === null) {
    throw weightsInvalid(
      `Model ${manifest.name} was imported from an ONNX file and does not say where its parameters lie: export the checkpoint, or import the new one's ONNX file and reload`,
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
    // How near is near enough belongs to the graphs: weights may ask for more, not for less.
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
          message: `${parameter.name} ${twice ? "stands there twice" : "is unknown to the folder's graphs"}`,
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

/** A place in the file as text, equal for equal values whatever the order of their keys. */
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
