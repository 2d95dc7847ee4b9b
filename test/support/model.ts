import { createHash } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Manifest } from "../../src/ranker/manifest.js";
import { temporaryFolder } from "./app.js";

export const SHIPPED = fileURLToPath(new URL("../../models/default", import.meta.url));

/** A models folder with copies of the shipped model under the given names. */
export function copiesOfShipped(...names: readonly string[]): string {
  const models = temporaryFolder();
  for (const name of names) copyShipped(models, name);
  return models;
}

/** One more copy, as an export into the models folder makes it. */
export function copyShipped(models: string, name: string): void {
  cpSync(SHIPPED, join(models, name), { recursive: true });
  editManifest(join(models, name), (manifest) => ({ ...manifest, name }));
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
}

export function editManifest(folder: string, edit: (manifest: Manifest) => object): void {
  writeFileSync(join(folder, "model.json"), JSON.stringify(edit(readManifest(folder))));
}

/** What an upload consists of, for a test to spoil. */
export interface UploadParts {
  header: {
    format: number;
    weights: { sha256: string; bytes: number };
    parameters: Manifest["parameters"];
    self_test: Manifest["self_test"];
    precision: object;
    provenance: object;
    metrics: object;
  };
  weights: Buffer;
}

/** The folder's weights with `shift` added to the head's bias, and so to every logit. */
export function shiftedWeights(folder: string, shift: number): UploadParts {
  const { head, parameters, self_test, precision, metrics } = readManifest(folder);
  const weights = readFileSync(join(folder, "weights.bin"));
  const { offset } = parameters.find(({ name }) => name === head.bias) as Manifest["parameters"][number];
  weights.writeFloatLE(weights.readFloatLE(offset) + shift, offset);
  const samples = self_test.samples.map((sample) => ({
    ...sample,
    logits: sample.logits.map((logit) => logit + shift),
  }));
  return {
    header: {
      format: 1,
      weights: describeBytes(weights),
      parameters,
      self_test: { ...self_test, samples },
      precision,
      provenance: { recipe: `bias + ${shift}` },
      metrics,
    },
    weights,
  };
}

export function describeBytes(bytes: Buffer): { sha256: string; bytes: number } {
  return { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}

/** The bytes of an upload. */
export function uploadOf({ header, weights }: { header: object; weights: Buffer }): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, weights]);
}

/** Bytes in chunks of awkward sizes, as a connection delivers them. */
export async function* chunksOf(bytes: Buffer, size = 65_537): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A change of the header's fields. */
export function withHeader(
  fields: Partial<Record<keyof UploadParts["header"], unknown>> | { colour: string },
) {
  return (parts: UploadParts): { header: object; weights: Buffer } => ({
    header: { ...parts.header, ...fields },
    weights: parts.weights,
  });
}

/** A self-test that expects these logits of one text. */
export function selfTestOf(...logits: readonly number[]): object {
  return { tolerance: 0.001, samples: [{ text: "usb c cable", logits }] };
}
