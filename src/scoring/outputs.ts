import { AssayError } from "../errors.js";
import type { LogitBatch } from "../importance/types.js";
import type { Caller, Precision, Ranker, Text } from "../ranker/port.js";
import type { OutputsKey, OutputsRecord, Store } from "../store/port.js";
import { outputsKeys } from "./outputs-key.js";
import type { Stopwatch } from "./stopwatch.js";

/** What the model says of N samples, from the store where it is known, from the model where it is not. */
export interface KnownOutputs extends LogitBatch {
  readonly keys: readonly OutputsKey[]; // (N)
  /** (N) The outputs were in the store. */
  readonly cached: readonly boolean[];
  readonly truncated: readonly boolean[]; // (N)
  /** Why the store could not be asked; null where it answered. */
  readonly storeFailure: AssayError | null;
  /** Resolves when what the model has said is in the store, to null, or to why it is not. It can be read before. */
  readonly kept: Promise<AssayError | null>;
}

/**
 * Outputs in the order of `texts`. Equal texts run once; what the store knows does not run. A store that does not answer
 * costs only the cache: the outputs come all the same, with `storeFailure`.
 */
export async function knownOutputs(
  { ranker, store }: { ranker: Ranker; store: Store },
  texts: readonly Text[],
  precision: Precision,
  stopwatch: Stopwatch,
  caller: Caller,
): Promise<KnownOutputs> {
  let storeFailure: AssayError | null = null;
  let kept: Promise<AssayError | null> = Promise.resolve(null);

  async function lookUp(): Promise<{
    keys: readonly OutputsKey[];
    distinct: Distinct;
    records: (OutputsRecord | null)[];
  }> {
    try {
      const { keys, names } = outputsKeys(await store.digestKey(), ranker.model, precision, texts);
      const distinct = distinctOf(names);
      const records = await store.readOutputs(distinct.firsts.map((index) => keys[index] as OutputsKey));
      return { keys, distinct, records };
    } catch (error) {
      storeFailure = tolerated(error);
      const distinct = distinctOf(texts.map(({ first, second }) => JSON.stringify([first, second])));
      return { keys: [], distinct, records: distinct.firsts.map(() => null) };
    }
  }

  const { keys, distinct, records } = await lookUp();
  stopwatch.lap("cache");
  const hits = records.map((record) => record !== null);

  const missing = records.flatMap((record, d) => (record === null ? [d] : []));
  if (missing.length > 0) {
    const missingTexts = missing.map((d) => texts[distinct.firsts[d] as number] as Text);
    const outputs = await ranker.run(missingTexts, precision, caller).catch((error: unknown) => {
      throw located(error, (text) => distinct.firsts[missing[text] as number] as number);
    });
    const { tokeniseMs, queueMs, inferMs } = outputs.timings;
    stopwatch.lapInParts({ tokenise: tokeniseMs, queue: queueMs, infer: inferMs }, "ipc");
    const { classes } = ranker.model;
    missing.forEach((d, m) => {
      records[d] = {
        logits: outputs.logits.slice(m * classes, (m + 1) * classes),
        featureNormSquared: outputs.featureNormsSquared[m] as number,
        truncated: outputs.truncated[m] === 1,
      };
    });
    if (storeFailure === null) {
      const entries = missing.map((d) => ({
        key: keys[distinct.firsts[d] as number] as OutputsKey,
        record: records[d] as OutputsRecord,
      }));
      kept = store.writeOutputs(entries).then(() => null, asAssayError);
    }
  }
  const columns = columnsOf(records as OutputsRecord[], hits, distinct.of, ranker.model.classes);
  stopwatch.lap("cache");
  return { ...columns, keys, storeFailure, kept };
}

/** A store that does not answer costs the cache; anything else is thrown on. */
function tolerated(error: unknown): AssayError {
  if (error instanceof AssayError && error.code === "store_unavailable") return error;
  throw error;
}

function asAssayError(error: unknown): AssayError {
  return error instanceof AssayError ? error : new AssayError("internal", { cause: error });
}

/** The same error with the samples in place of the texts that its faults name. */
function located(error: unknown, sampleOf: (text: number) => number): unknown {
  if (!(error instanceof AssayError) || error.faults.length === 0) return error;
  const faults = error.faults.map(({ path, message }) => ({
    path: `/samples/${sampleOf(Number(path.slice(1)))}`,
    message,
  }));
  return new AssayError(error.code, { detail: error.message, faults, cause: error });
}

interface Distinct {
  /** Index of the first text of each distinct content. */
  readonly firsts: readonly number[];
  /** (N) Which distinct content each text has. */
  readonly of: readonly number[];
}

function distinctOf(contents: readonly string[]): Distinct {
  const seen = new Map<string, number>();
  const firsts: number[] = [];
  const of = contents.map((content, index) => {
    const known = seen.get(content);
    if (known !== undefined) return known;
    seen.set(content, firsts.length);
    firsts.push(index);
    return firsts.length - 1;
  });
  return { firsts, of };
}

function columnsOf(
  records: readonly OutputsRecord[],
  hits: readonly boolean[],
  of: readonly number[],
  classes: number,
): LogitBatch & { cached: boolean[]; truncated: boolean[] } {
  const logits = new Float32Array(of.length * classes);
  const featureNormsSquared = new Float32Array(of.length);
  of.forEach((d, index) => {
    const record = records[d] as OutputsRecord;
    for (let k = 0; k < classes; k++) logits[index * classes + k] = record.logits[k] as number;
    featureNormsSquared[index] = record.featureNormSquared;
  });
  return {
    classes,
    logits,
    featureNormsSquared,
    cached: of.map((d) => hits[d] as boolean),
    truncated: of.map((d) => (records[d] as OutputsRecord).truncated),
  };
}
