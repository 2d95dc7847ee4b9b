import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { directionInfo } from "../../src/store/codec/direction.js";
import { decodeOutputs, encodeOutputs } from "../../src/store/codec/outputs.js";
import { encodeSample } from "../../src/store/codec/sample.js";
import { parseShape, shapeText } from "../../src/store/codec/shape.js";
import {
  type Columns,
  decodeIntoColumns,
  decodeStored,
  emptyColumns,
  encodeStored,
  WEIGHTS_MAX,
  weightsSince,
  withWeight,
} from "../../src/store/codec/stored.js";
import type { OutputsRecord, SampleRecord, StoredSample } from "../../src/store/port.js";
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

const anySample: fc.Arbitrary<SampleRecord> = fc.record({
  outputsKey: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
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
  group: fc.option(text),
  signals: fc.array(fc.tuple(text, float32), { maxLength: 12 }).map((entries) => new Map(entries)),
  scoredAtMs: fc.nat({ max: 2 ** 48 - 1 }),
});

const anyWeights = fc.uniqueArray(
  fc.record({ version: fc.integer({ min: 1, max: 2 ** 40 }), weight: float32 }),
  { maxLength: WEIGHTS_MAX, selector: ({ version }) => version },
);

function pack(record: SampleRecord): { shape: string; body: Buffer } {
  const shape = shapeText(record);
  return { shape, body: encodeSample(record, parseShape(shape).signals) };
}

function unpack(bytes: Buffer, shape: string, number: number, version: number): StoredSample {
  const snapshot = { version, createdAtMs: 0, samples: 1, provenance: {} };
  return decodeStored(bytes, (wanted) => (wanted === number ? parseShape(shape) : undefined), snapshot);
}

/** Three rows of a dataset with the one shape. */
function columnsOf(shape: string, version: number | undefined): Columns {
  const snapshot = version === undefined ? null : { version, createdAtMs: 0, samples: 1, provenance: {} };
  return emptyColumns(3, [parseShape(shape)], snapshot);
}

function lookUp(bytes: Buffer, shape: string): void {
  decodeIntoColumns(bytes, columnsOf(shape, 1), 1);
}

describe("the codec", () => {
  it("gives back every outputs record", () => {
    fc.assert(
      fc.property(anyOutputs, (record) => {
        expect(decodeOutputs(encodeOutputs(record))).toEqual(record);
      }),
    );
  });

  it("gives back every sample with the weight of the snapshot that is asked for", () => {
    fc.assert(
      fc.property(
        anySample,
        anyWeights,
        fc.nat({ max: 2 ** 30 }),
        fc.nat(),
        (record, weights, number, pick) => {
          const { shape, body } = pack(record);
          const bytes = encodeStored(weights, number, body);
          const asked = weights[pick % (weights.length + 1)];
          const stored = unpack(bytes, shape, number, asked?.version ?? 0);
          expect(stored).toEqual({ record, weight: asked?.weight ?? null });
        },
      ),
    );
  });

  it("gives a look-up the weight and the signals of the same sample", () => {
    fc.assert(
      fc.property(anySample, anyWeights, fc.nat(), (record, weights, pick) => {
        const { shape, body } = pack(record);
        const version = weights[pick % (weights.length + 1)]?.version;
        const columns = columnsOf(shape, version);
        decodeIntoColumns(encodeStored(weights, 0, body), columns, 1);
        const { weight } = unpack(encodeStored(weights, 0, body), shape, 0, version ?? 0);
        expect([...columns.shapeOf]).toEqual([-1, 0, -1]);
        expect([...columns.weights]).toEqual([Number.NaN, weight ?? Number.NaN, Number.NaN]);
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

  it("keeps the weights of the newest snapshot and later ones when a sample is written again", () => {
    fc.assert(
      fc.property(
        anySample,
        anyWeights,
        fc.integer({ min: 0, max: 2 ** 40 }),
        (record, weights, snapshot) => {
          const bytes = encodeStored(weights, 0, pack(record).body);
          expect(weightsSince(bytes, snapshot)).toEqual(weights.filter(({ version }) => version >= snapshot));
        },
      ),
    );
  });

  it("adds a weight without touching the sample, and never drops the newest snapshot's", () => {
    const { shape, body } = pack(sample());
    let bytes = encodeStored([{ version: 5, weight: 0.5 }], 0, body);
    for (let version = 6; version < 60; version++) bytes = withWeight(bytes, 5, { version, weight: version });
    expect(unpack(bytes, shape, 0, 5)).toEqual({ record: unpack(bytes, shape, 0, 59).record, weight: 0.5 });
    expect(unpack(bytes, shape, 0, 59).weight).toBe(59);
    expect(weightsSince(bytes, 0)).toHaveLength(WEIGHTS_MAX);
    expect(withWeight(bytes, 59, { version: 60, weight: 1 }).length).toBeLessThan(bytes.length);
  });

  it("never takes other bytes for a record: they are store_corrupt, or a record of the same length", () => {
    const { shape, body } = pack(sample());
    const whole = encodeStored([{ version: 1, weight: 1 }], 0, body);
    for (let length = 0; length < whole.length; length++) {
      expect(() => unpack(whole.subarray(0, length), shape, 0, 1)).toThrow(corrupt);
      expect(() => lookUp(whole.subarray(0, length), shape)).toThrow(corrupt);
    }
    expect(() => lookUp(Buffer.concat([whole, Buffer.of(0)]), shape)).toThrow(corrupt);
    expect(() => unpack(Buffer.concat([whole, Buffer.of(0)]), shape, 0, 1)).toThrow(corrupt);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decode of [
          () => unpack(Buffer.from(bytes), shape, 0, 1),
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

  it.each([0x00, 0x20, 0xf1])("refuses a stored sample and outputs with the head %i", (head) => {
    const { shape, body } = pack(sample());
    const stored = encodeStored([], 0, body);
    stored[0] = head;
    expect(() => unpack(stored, shape, 0, 0)).toThrow(corrupt);
    const outputs = encodeOutputs({
      logits: Float32Array.of(1),
      featureNormSquared: 1,
      truncated: false,
    });
    outputs[0] = head;
    expect(() => decodeOutputs(outputs)).toThrow(corrupt);
  });

  it("packs a sample with one logit, a hard label and two signals into 33 bytes, its outputs into 9", () => {
    expect(encodeStored([], 0, pack(sample({ label: 1 })).body)).toHaveLength(33);
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

  it("keeps a shape without directions as it was before there were any", () => {
    const old = '["default@1","bce","loss"]';
    const shape = { model: "default@1", loss: "bce", directions: [], signals: ["loss"] };
    expect(parseShape(old)).toEqual(shape);
    expect(shapeText(sample({ ...shape, signals: new Map([["loss", 1]]) }))).toBe(old);
  });

  it.each(["", "{}", "[1]", '["a"]', '["a","b",3]', '["a","b",[3]]', '["a",["b"]]'])(
    "refuses the shape %s",
    (shape) => {
      expect(() => parseShape(shape)).toThrow(corrupt);
    },
  );
});

const corrupt = expect.objectContaining({ code: "store_corrupt" });
