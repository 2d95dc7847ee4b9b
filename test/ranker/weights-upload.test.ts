import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AssayError } from "../../src/errors.js";
import { checkDigests } from "../../src/ranker/digests.js";
import type { Manifest } from "../../src/ranker/manifest.js";
import type { ModelFolder } from "../../src/ranker/model-folder.js";
import { createStaging } from "../../src/ranker/staging.js";
import { receiveWeights } from "../../src/ranker/weights-upload.js";
import { temporaryFolder } from "../support/app.js";
import {
  chunksOf,
  copiesOfShipped,
  describeBytes,
  readManifest,
  SHIPPED,
  selfTestOf,
  shiftedWeights,
  type UploadParts,
  uploadOf,
  withHeader,
} from "../support/model.js";

type Parameter = Manifest["parameters"][number];
type Spoil = (parts: UploadParts) => Buffer | { header: object; weights: Buffer };

const PARAMETERS = readManifest(SHIPPED).parameters;

function shipped(): ModelFolder {
  const directory = join(copiesOfShipped("default"), "default");
  return { directory, manifest: readManifest(directory) };
}

describe("an upload", () => {
  it.each([1, 65_537, 2 ** 24])("is staged whole, whatever its chunks (%i bytes)", async (size) => {
    const folder = shipped();
    const staging = await createStaging(folder);
    const parts = shiftedWeights(folder.directory, 1);
    const bytes = uploadOf(parts);
    // Single bytes for the header alone: the weights would take minutes.
    async function* chunks(): AsyncGenerator<Buffer> {
      const cut = size === 1 ? bytes.length - parts.weights.length + 5 : 0;
      yield* chunksOf(bytes.subarray(0, cut), 1);
      yield* chunksOf(bytes.subarray(cut), Math.max(size, 4096));
    }
    const staged = await receiveWeights(folder, staging, chunks(), 2 ** 30);
    await checkDigests(staged);
    expect(staged.manifest.files["weights.bin"]).toEqual(parts.header.weights);
    expect(staged.manifest.self_test).toEqual(parts.header.self_test);
    expect(readManifest(staging)).toEqual(staged.manifest);
    expect(readdirSync(staging).sort()).toEqual(["model.json", ...Object.keys(folder.manifest.files)].sort());
  });

  it("keeps the gradient scope of the folder, and is refused if it brings one", async () => {
    const whole = shipped();
    const gradient_scope = { name: "classifier.*", parameters: ["classifier.weight", "classifier.bias"] };
    const folder = { ...whole, manifest: { ...whole.manifest, gradient_scope } };
    const parts = shiftedWeights(folder.directory, 1);
    const receive = async (bytes: Buffer) =>
      receiveWeights(folder, await createStaging(folder), chunksOf(bytes, 2 ** 24), 2 ** 30);
    expect((await receive(uploadOf(parts))).manifest.gradient_scope).toEqual(gradient_scope);
    const brings = uploadOf({ ...parts, header: { ...parts.header, gradient_scope } });
    await expect(receive(brings)).rejects.toMatchObject({ code: "weights_invalid" });
  });

  it.each<[string, RegExp, Spoil]>([
    ["no header", /ends within the header/, () => Buffer.from("abc")],
    ["a header cut short", /ends within the header/, (parts) => uploadOf(parts).subarray(0, 100)],
    ["a header of gigabytes", /the limit is/, () => Buffer.alloc(64, 255)],
    ["a header that is no JSON", /not JSON/, () => Buffer.from("\x01\0\0\0\0\0\0\0{")],
    ["an unknown field", /Unrecognized key/, withHeader({ colour: "blue" })],
    [
      "a field of another type",
      /\/weights\/sha256 .* \(and 1 more\)/,
      withHeader({ weights: { sha256: "ab", bytes: "c" } }),
    ],
    ["a body cut short", /ends after \d+ of/, (parts) => uploadOf(parts).subarray(0, -1)],
    ["a body too long", /has more than the/, (parts) => Buffer.concat([uploadOf(parts), Buffer.alloc(1)])],
    ["another digest", /does not match its digest/, flipped],
    ["another size", /weights\/bytes is 4/, withHeader({ weights: describeBytes(Buffer.alloc(4)) })],
    ["an unknown parameter", /\/parameters\/0 strange is unknown/, parameter({ name: "strange" })],
    ["a parameter twice", /occurs twice/, withHeader({ parameters: [PARAMETERS[0], ...PARAMETERS] })],
    ["a missing parameter", /lacks bert\.embeddings/, withHeader({ parameters: PARAMETERS.slice(1) })],
    ["another shape", /\/parameters\/0\/shape of bert/, parameter({ shape: [1, 2] })],
    ["another place", /\/parameters\/0\/offset of bert/, parameter({ offset: 64 })],
    ["another number format", /\/parameters\/0\/dtype of bert/, parameter({ dtype: "float32" })],
    ["another layout", /\/parameters\/0\/layout of bert/, parameter({ layout: "transposed" })],
    ["no scale", /\/parameters\/0\/scale of bert/, parameter({ scale: null })],
    ["a weight that is not finite", /classifier\.bias holds a value/, nonFinite("classifier.bias")],
    ["a scale that is not finite", /word_embeddings\.weight holds a value/, nonFinite(PARAMETERS[0]?.name)],
    ["an infinite logit", /\/self_test\/samples\/0/, rewritten('"logits":[', '"logits":[1e999,')],
    ["no end of samples", /\/self_test\/samples Too big/, withHeader({ self_test: manySamples(65) })],
    [
      "no end of parameters",
      /\/parameters Too big/,
      withHeader({ parameters: new Array(2_000_000).fill(1) }),
    ],
    [
      "provenance of 15 MB",
      /\/provenance has more than 64 KiB/,
      withHeader({ provenance: { a: "b".repeat(15e6) } }),
    ],
    [
      "metrics nested 4,000 levels",
      /\/metrics is nested deeper than 64/,
      withHeader({ metrics: nested(4000) }),
    ],
    ["a field that is called for megabytes", /^.{0,600}$/, withHeader({ ["x".repeat(5e6)]: 1 } as object)],
    ["nothing but brackets", /nested deeper/, () => headerOnly(Buffer.alloc(2 ** 24, "["))],
    ["an empty header", /not JSON/, () => headerOnly(Buffer.alloc(0))],
    [
      "negative bytes",
      /\/weights\/bytes Too small/,
      withHeader({ weights: { sha256: "0".repeat(64), bytes: -1 } }),
    ],
    ["an offset before the beginning", /\/parameters\/0\/offset Too small/, parameter({ offset: -64 })],
    ["two logits for one", /has 2 entries; the model has 1/, withHeader({ self_test: selfTestOf(9, 9) })],
  ])("is refused with %s", async (_about, why, spoil) => {
    const folder = shipped();
    const staging = await createStaging(folder);
    const spoilt = spoil(shiftedWeights(folder.directory, 1));
    const bytes = Buffer.isBuffer(spoilt) ? spoilt : uploadOf(spoilt);
    const error: AssayError = await receiveWeights(folder, staging, chunksOf(bytes), 2 ** 30).then(
      () => expect.fail("was taken"),
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: "weights_invalid", message: expect.stringMatching(why) });
    expect(readdirSync(staging)).not.toContain("model.json");
  });

  it("cannot widen the tolerance of its own self-test, only narrow it", async () => {
    const folder = shipped();
    const { tolerance } = folder.manifest.self_test;
    for (const [given, kept] of [
      [tolerance * 1000, tolerance],
      [tolerance / 10, tolerance / 10],
    ] as const) {
      const parts = shiftedWeights(folder.directory, 1);
      const { self_test } = parts.header as { self_test: object };
      const bytes = withHeader({ self_test: { ...self_test, tolerance: given } })(parts);
      const staged = await receiveWeights(
        folder,
        await createStaging(folder),
        chunksOf(uploadOf(bytes as UploadParts)),
        2 ** 30,
      );
      expect(staged.manifest.self_test.tolerance).toBe(kept);
    }
  });

  it("lists every fault with its path in the header", async () => {
    const folder = shipped();
    const parts = withHeader({ parameters: PARAMETERS.slice(2), self_test: selfTestOf() })(
      shiftedWeights(folder.directory, 1),
    );
    const received = receiveWeights(folder, await createStaging(folder), chunksOf(uploadOf(parts)), 2 ** 30);
    await expect(received).rejects.toMatchObject({
      faults: [
        { path: "/parameters", message: `lacks ${PARAMETERS[0]?.name}` },
        { path: "/parameters", message: `lacks ${PARAMETERS[1]?.name}` },
        { path: "/self_test/samples/0/logits", message: "has 0 entries; the model has 1 logits" },
      ],
    });
  });

  it("is refused beyond the limit before its weights are read, and lets go of the body", async () => {
    const folder = shipped();
    const bytes = uploadOf(shiftedWeights(folder.directory, 1));
    let [read, ended] = [0, false];
    async function* counted(): AsyncGenerator<Buffer> {
      try {
        for await (const chunk of chunksOf(bytes)) {
          read += chunk.length;
          yield chunk;
        }
      } finally {
        ended = true;
      }
    }
    const received = receiveWeights(folder, await createStaging(folder), counted(), 1000);
    await expect(received).rejects.toMatchObject({ code: "body_too_large" });
    expect(read).toBeLessThan(200_000);
    expect(ended).toBe(true);
  });

  it("takes no more memory than a chunk, however large the weights", async () => {
    const bytes = 256 * 2 ** 20;
    const directory = temporaryFolder();
    mkdirSync(join(directory, "staging"));
    const manifest = readManifest(SHIPPED);
    const folder = {
      directory,
      manifest: {
        ...manifest,
        parameters: [],
        files: { "weights.bin": { sha256: "0".repeat(64), bytes } },
      },
    };
    const header = { ...headerOf(manifest), weights: { sha256: "0".repeat(64), bytes } };
    const chunk = Buffer.alloc(65_536);
    let peak = 0;
    const before = process.memoryUsage.rss();
    async function* body(): AsyncGenerator<Buffer> {
      yield uploadOf({ header, weights: Buffer.alloc(0) });
      for (let sent = 0; sent < bytes; sent += chunk.length) {
        yield chunk;
        peak = Math.max(peak, process.memoryUsage.rss());
      }
    }
    const received = receiveWeights(folder, join(directory, "staging"), body(), bytes);
    await expect(received).rejects.toThrow(/does not match its digest/);
    expect(peak - before).toBeLessThan(64 * 2 ** 20);
  });
});

function headerOf({ precision, self_test, provenance, metrics }: Manifest): object {
  return { format: 1, parameters: [], precision, self_test, provenance, metrics };
}

function parameter(fields: Partial<Parameter>): Spoil {
  const [first, ...others] = PARAMETERS as [Parameter, ...Parameter[]];
  return withHeader({ parameters: [{ ...first, ...fields }, ...others] });
}

/** `{"a":{"a":…}}`, as no JSON.stringify writes it. */
function nested(levels: number): object {
  let inner: object = {};
  for (let level = 1; level < levels; level++) inner = { a: inner };
  return inner;
}

function manySamples(count: number): object {
  return { tolerance: 0.001, samples: new Array(count).fill({ text: "usb c cable", logits: [1] }) };
}

function headerOnly(header: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header]);
}

/** Other text in the header. */
function rewritten(from: string, to: string): Spoil {
  return ({ header }) => headerOnly(Buffer.from(JSON.stringify(header).replace(from, to)));
}

function flipped(parts: UploadParts): Buffer {
  const bytes = uploadOf(parts);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return bytes;
}

/** NaN as the last value of a parameter in float32, or of its scale. */
function nonFinite(name: string | undefined): Spoil {
  return ({ header, weights }) => {
    const found = PARAMETERS.find((parameter) => parameter.name === name) as Parameter;
    const { offset, length } = found.scale ?? found;
    weights.writeFloatLE(Number.NaN, offset + length - 4);
    return { header: { ...header, weights: describeBytes(weights) }, weights };
  };
}
