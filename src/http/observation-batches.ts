import type { SamplePlace } from "../errors.js";
import type { Limits } from "../scoring/requests/limits.js";
import {
  fieldsOfSamples,
  numbersIn,
  type ObservedFields,
  type ObservedSample,
  OUTPUTS_AT_ONCE,
  observedSampleSchema,
} from "../scoring/requests/observed-sample.js";
import { placesOf, sampleBatches } from "../scoring/requests/sample-batches.js";
import { checkSchema } from "../scoring/requests/schema-faults.js";
import { arrowObservations, rowAt } from "./arrow/observations.js";
import { ARROW_MEDIA_TYPE } from "./arrow/writer.js";
import { atLine, lineAt, readLines } from "./plugins/ndjson.js";
import type { StreamBody } from "./plugins/stream-body.js";

/** Samples of a stream that are written at once, if they hold few numbers each. */
const BATCH = 4096;

const BATCH_SIZE = {
  samples: BATCH,
  size: OUTPUTS_AT_ONCE,
  sizeOf: ({ logits, label }: ObservedSample) => numbersIn(logits) + numbersIn(label),
};

/** Observed samples of a stream that are written at once. */
export interface ObservationBatch {
  readonly count: number;
  readonly fields: ObservedFields;
  /** The place of each sample in the stream. */
  placeOf(index: number): SamplePlace;
}

export interface BatchNeeds {
  readonly limits: Limits;
  /** Whether a batch holds whole groups: see `sampleBatches`. */
  readonly byGroup: boolean;
  readonly signal: AbortSignal;
}

/**
 * The samples of a body of JSON lines or Arrow, in batches. Throws `invalid_request` with the place of a sample that is none, what
 * `sampleBatches` throws, and what the readers of both formats throw.
 */
export function observationBatches(body: StreamBody, needs: BatchNeeds): AsyncIterable<ObservationBatch> {
  if (body.mediaType !== ARROW_MEDIA_TYPE) return batchesOf(lineSamples(body, needs), needs);
  // A group may reach from one record batch into the next, so its samples are collected one by one.
  return needs.byGroup ? batchesOf(rowSamples(body, needs), needs) : rowBatches(body, needs);
}

interface LocatedObservation {
  readonly sample: ObservedSample;
  readonly place: string;
}

async function* batchesOf(
  samples: AsyncIterable<LocatedObservation>,
  { limits, byGroup }: BatchNeeds,
): AsyncGenerator<ObservationBatch> {
  for await (const batch of sampleBatches(samples, byGroup, limits, BATCH_SIZE)) {
    const fields = fieldsOfSamples(batch.map(({ sample }) => sample));
    yield { count: batch.length, fields, placeOf: placesOf(batch) };
  }
}

async function* lineSamples(
  body: StreamBody,
  { limits, signal }: BatchNeeds,
): AsyncGenerator<LocatedObservation> {
  const schema = observedSampleSchema(limits);
  for await (const { number, value } of readLines(body, limits.bodyBytesMax, signal)) {
    const { faults, value: sample } = checkSchema(schema, value);
    if (faults !== undefined) throw atLine(number, "invalid_request", faults);
    yield { sample, place: lineAt(number) };
  }
}

async function* rowBatches(
  body: StreamBody,
  { limits, signal }: BatchNeeds,
): AsyncGenerator<ObservationBatch> {
  for await (const { count, fields, number } of arrowObservations(body, limits, signal, BATCH))
    yield { count, fields, placeOf: (index) => rowAt(number + index) };
}

async function* rowSamples(body: StreamBody, needs: BatchNeeds): AsyncGenerator<LocatedObservation> {
  for await (const { count, fields, placeOf } of rowBatches(body, needs))
    for (let index = 0; index < count; index++)
      yield { sample: sampleAt(fields, index), place: String(placeOf(index)) };
}

function sampleAt(fields: ObservedFields, index: number): ObservedSample {
  return {
    id: fields.id(index),
    label: fields.label(index),
    logits: fields.logits(index),
    feature_norm: fields.feature_norm(index),
    group: fields.group(index),
    source: fields.source(index),
    text_digest: fields.text_digest(index),
  };
}
