import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { directionInfo } from "../../src/store/codec/direction.js";
import { decodeOutputs, encodeOutputs } from "../../src/store/codec/outputs.js";
import { encodeSample } from "../../src/store/codec/sample.js";
import { parseShape, textOfShape } from "../../src/store/codec/shape.js";
import {
  type Columns,
  decodeIntoColumns,
  decodeStored,
  emptyColumns,
  encodeStored,
  NO_NUMBER,
  type NumberedSample,
  storedNumbers,
} from "../../src/store/codec/stored.js";
import type { SampleRecord } from "../../src/store/dataset-records.js";
import type { OutputsRecord } from "../../src/store/port.js";
import { facts as directionFacts } from "./conformance/directions.js";
import { sample } from "./conformance/records.js";

const float32 = fc.float({ noNaN: true });
const double = fc.double({ noNaN: true });
const text = fc.string({ unit: "grapheme", maxLength: 60 });

function floats(length: number, value = float32): fc.Arbitrary<Float32Array> {
  return fc.array(value, { minLength: length, maxLength: length }).map((values) => Float32Array.from(values));
}

/** Values that float16 holds: at most 11 bits, from the smallest subnormal on. */
const float16 = fc
  .tuple(fc.integer({ min: -2047, max: 2047 }), fc.integer({ min: -24, max: 5 }))
  .map(([mantissa, exponent]) => mantissa * 2 ** exponent);

const anyOutputs: fc.Arbitrary<OutputsRecord> = fc.integer({ min: 1, max: 20 }).chain((classes) =>
  fc.record(
    {
      logits: floats(classes),
      featureNormSquared: float32,
      truncated: fc.boolean(),
      gram: floats(classes * classes),
      tangent: floats(classes),
      features: fc.nat({ max: 40 }).chain((length) => floats(length, float16)),
    },
    { requiredKeys: ["logits", "featureNormSquared", "truncated"] },
  ),
);

function bytesOf(length: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes));
}

const anySample: fc.Arbitrary<SampleRecord> = fc.record({
  outputsKey: fc.option(bytesOf(16)),
  textDigest: fc.option(bytesOf(6)),
  precision: fc.option(text),
  source: fc.option(text),
  observed: fc.constantFrom(null, "train", "eval"),
  earlier: fc.array(fc.tuple(text, text), { maxLength: 3 }).map((entries) => new Map(entries)),
  model: text,
  loss: text,
  directions: fc.array(text, { maxLength: 3 }),
  label: fc.oneof(
    fc.constant(null),
    fc.constantFrom(0, 1, -0, 2, 255, 256, -1, 0.1, 0.5),
    float32,
    double,
    fc.array(float32, { maxLength: 200 }),
    fc.array(double, { maxLength: 20 }),
  ),
  group: fc.option(bytesOf(8).map((bytes) => bytes.toString("hex"))),
  signals: fc.array(fc.tuple(text, float32), { maxLength: 12 }).map((entries) => new Map(entries)),
  scoredAtMs: fc.nat({ max: 2 ** 48 - 1 }),
});

const anyNumber = fc.nat({ max: 2 ** 32 - 2 });

function pack(record: SampleRecord): { shape: string; body: Buffer } {
  const shape = textOfShape({ ...record, signals: [...record.signals.keys()].sort() });
  return { shape, body: encodeSample(record, parseShape(shape).signals) };
}

function unpack(bytes: Buffer, shape: string, number: number): NumberedSample {
  return decodeStored(bytes, (each) => (each === number ? parseShape(shape) : undefined), null);
}

function lookUp(bytes: Buffer, shape: string): Columns {
  const columns = emptyColumns(3, [parseShape(shape)], null);
  decodeIntoColumns(bytes, columns, 1);
  return columns;
}

describe("the codec", () => {
  it("gives back every outputs record", () => {
    fc.assert(
      fc.property(anyOutputs, (record) => {
        expect(decodeOutputs(encodeOutputs(record))).toEqual(record);
      }),
    );
  });

  it("gives back every sample with its number", () => {
    fc.assert(
      fc.property(anySample, anyNumber, fc.nat({ max: 2 ** 30 }), (record, number, shapeNumber) => {
        const { shape, body } = pack(record);
        const bytes = encodeStored(number, shapeNumber, body);
        expect(unpack(bytes, shape, shapeNumber)).toEqual({ record, number, weight: null });
        expect(storedNumbers(bytes)).toMatchObject({ number, shape: shapeNumber });
      }),
    );
  });

  it("gives a look-up the number and the signals of the same sample", () => {
    fc.assert(
      fc.property(anySample, anyNumber, (record, number) => {
        const { shape, body } = pack(record);
        const columns = lookUp(encodeStored(number, 0, body), shape);
        expect([...columns.shapeOf]).toEqual([-1, 0, -1]);
        expect([...columns.numbers]).toEqual([NO_NUMBER, number, NO_NUMBER]);
        const names = parseShape(shape).signals;
        const none = names.map(() => Number.NaN);
        expect([...columns.signals]).toEqual([
          ...none,
          ...names.map((name) => record.signals.get(name)),
          ...none,
        ]);
      }),
    );
  });

  it("never takes other bytes for a record: they are store_corrupt, or a record of the same length", () => {
    const { shape, body } = pack(sample());
    const whole = encodeStored(300, 0, body);
    for (let length = 0; length < whole.length; length++) {
      expect(() => unpack(whole.subarray(0, length), shape, 0)).toThrow(corrupt);
      expect(() => lookUp(whole.subarray(0, length), shape)).toThrow(corrupt);
    }
    expect(() => lookUp(Buffer.concat([whole, Buffer.of(0)]), shape)).toThrow(corrupt);
    expect(() => unpack(Buffer.concat([whole, Buffer.of(0)]), shape, 0)).toThrow(corrupt);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decode of [
          () => unpack(Buffer.from(bytes), shape, 0),
          () => lookUp(Buffer.from(bytes), shape),
          () => decodeOutputs(Buffer.from(bytes)),
        ]) {
          try {
            decode();
          } catch (error) {
            expect(error).toMatchObject({ code: "store_corrupt" });
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([0x00, 0x21, 0x30, 0xf1])("refuses a stored sample and outputs with the head %i", (head) => {
    const { shape, body } = pack(sample());
    const stored = encodeStored(0, 0, body);
    stored[0] = head;
    expect(() => unpack(stored, shape, 0)).toThrow(corrupt);
    const outputs = encodeOutputs({
      logits: Float32Array.of(1),
      featureNormSquared: 1,
      truncated: false,
    });
    outputs[0] = head;
    expect(() => decodeOutputs(outputs)).toThrow(corrupt);
  });

  it("packs a sample with one logit, a hard label and two signals into 40 bytes, its outputs into 9", () => {
    expect(encodeStored(0, 0, pack(sample({ label: 1 })).body)).toHaveLength(40);
    expect(
      encodeOutputs({ logits: Float32Array.of(1), featureNormSquared: 1, truncated: false }),
    ).toHaveLength(9);
  });

  it("reads what was written before there were parts, and packs one logit with its gram into 15 bytes", () => {
    const old = Buffer.from("1100000040000020c1", "hex");
    expect(decodeOutputs(old)).toEqual({
      logits: Float32Array.of(-10),
      featureNormSquared: 2,
      truncated: true,
    });
    const gram = Float32Array.of(4);
    expect(encodeOutputs({ ...decodeOutputs(old), gram })).toHaveLength(15);
  });

  it("packs an embedding beside the other parts, whatever parts there are", () => {
    const bare = { logits: Float32Array.of(0.5, 2), featureNormSquared: 1, truncated: true };
    const embedding = Float32Array.of(1, -0.5, 0.25);
    const all = {
      gram: Float32Array.of(1, 2, 3, 4),
      tangent: Float32Array.of(5, 6),
      features: Float32Array.of(7),
    };
    for (const parts of [{}, { gram: all.gram }, { features: all.features }, all]) {
      const record = { ...bare, ...parts, embedding };
      expect(decodeOutputs(encodeOutputs(record))).toEqual(record);
      expect(encodeOutputs(record)).toHaveLength(
        encodeOutputs({ ...bare, ...parts }).length + ("gram" in parts || "features" in parts ? 8 : 10),
      );
    }
  });

  it("rounds features to the nearest float16, and keeps within its range what is beyond", () => {
    const features = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, -1e6, 2 ** -25, 3 * 2 ** -25, 65_519);
    const record = { logits: Float32Array.of(0), featureNormSquared: 1, truncated: false };
    expect([...(decodeOutputs(encodeOutputs({ ...record, features })).features ?? [])]).toEqual([
      1,
      1 + 2 ** -9,
      -65_504,
      0,
      2 ** -23,
      65_504,
    ]);
  });

  it("reads a direction of before there were gradient scopes as one over all parameters", () => {
    const { gradientScope: _none, ...facts } = {
      ...directionFacts(),
      digest: "ab",
      bytes: 8,
      createdAtMs: 1,
    };
    expect(directionInfo(facts)).toEqual({ ...facts, gradientScope: "all" });
    expect(directionInfo({ ...facts, gradientScope: "head" }).gradientScope).toBe("head");
    expect(() => directionInfo({ ...facts, gradientScope: 7 })).toThrow("lacks its gradientScope");
  });

  it("reads the shapes of version 1a1e855", () => {
    const parts = { precision: null, source: null, observed: null, earlier: new Map() };
    const shape = { ...parts, model: "default@1", loss: "bce", signals: ["loss"] };
    expect(parseShape('["default@1","bce","loss"]')).toEqual({ ...shape, directions: [] });
    expect(parseShape('["default@1","bce",["v@1"],"loss"]')).toEqual({ ...shape, directions: ["v@1"] });
  });

  it.each([
    "",
    "{}",
    '{"model":"m","loss":"bce"}',
    '{"model":"m","loss":"bce","signals":[],"observed":"x"}',
    "[1]",
    '["a"]',
    '["a","b",3]',
    '["a","b",[3]]',
    '["a",["b"]]',
  ])("refuses the shape %s", (shape) => {
    expect(() => parseShape(shape)).toThrow(corrupt);
  });
});

const corrupt = expect.objectContaining({ code: "store_corrupt" });
