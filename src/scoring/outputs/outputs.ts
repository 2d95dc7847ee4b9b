import { AssayError, asAssayError, isStoreFailure, relocated } from "../../errors.js";
import type { LogitBatch } from "../../importance/types.js";
import { type Caller, gives, type Outputs, type Text } from "../../ranker/port.js";
import {
  OUTPUTS_PARTS,
  type OutputsKey,
  type OutputsPart,
  type OutputsRecord,
  type OutputsStore,
} from "../../store/port.js";
import type { ModelPorts, WantedRecord, Watch } from "../ports.js";
import { KEPT_MATRICES } from "../requests/checks.js";
import { outputsUntil } from "../requests/store-until.js";
import { outputsKeys } from "./digests.js";

/** (N, …) each; present if it was wanted. */
type Matrices = Readonly<Partial<Record<OutputsPart, Float32Array>>>;

/** The model's outputs for N samples: from the store if it has them, otherwise from a run of the model. */
export interface KnownOutputs extends Omit<LogitBatch, OutputsPart>, Matrices {
  readonly logits: Float32Array;
  readonly featureNormsSquared: Float32Array;
  /** (K, K) The gram of one sample if its record has one, even if it was not wanted. */
  gramOf(index: number): Float32Array | undefined;
  readonly keys: readonly OutputsKey[]; // (N)
  /** (N) Whether the outputs were in the store. */
  readonly cached: readonly boolean[];
  readonly truncated: readonly boolean[]; // (N)
  /** Why the store could not be asked; null if it answered. */
  readonly storeFailure: AssayError | null;
  /** Resolves to null when new outputs are in the store, or to the reason why they are not. They can be used before that. */
  readonly kept: Promise<AssayError | null>;
}

/**
 * Outputs in the order of `texts`. Equal texts run once, and texts that the store knows do not run. A record that lacks a
 * wanted part is computed again with the union of parts, so that requests do not overwrite each other's records. If the store
 * does not answer, the model computes all outputs, and `storeFailure` says why. Throws what `ranker.run` throws.
 */
export async function knownOutputs(
  { ranker, store }: ModelPorts,
  texts: readonly Text[],
  wanted: WantedRecord,
  { stopwatch, caller }: Watch,
): Promise<KnownOutputs> {
  let storeFailure: AssayError | null = null;
  let kept: Promise<AssayError | null> = Promise.resolve(null);

  async function lookUp(): Promise<{
    keys: readonly OutputsKey[];
    distinct: Distinct;
    records: (OutputsRecord | null)[];
  }> {
    const cache = cacheUntil(store, caller);
    try {
      const { keys, names } = outputsKeys(await cache.store.digestKey(), ranker.model, wanted, texts);
      const distinct = distinctOf(names);
      const records = await cache.store.readOutputs(
        distinct.firsts.map((index) => keys[index] as OutputsKey),
      );
      return { keys, distinct, records };
    } catch (error) {
      storeFailure = tolerated(error);
      const distinct = distinctOf(texts.map(({ first, second }) => JSON.stringify([first, second])));
      return { keys: [], distinct, records: distinct.firsts.map(() => null) };
    } finally {
      cache.release();
    }
  }

  const { keys, distinct, records } = await lookUp();
  stopwatch.lap("cache");
  const needed = OUTPUTS_PARTS.filter((name) => gives(wanted, name));
  const hits = records.map((record) => record !== null && needed.every((name) => record[name] !== undefined));

  const missing = hits.flatMap((hit, d) => (hit ? [] : [d]));
  if (missing.length > 0) {
    const missingTexts = missing.map((d) => texts[distinct.firsts[d] as number] as Text);
    const known = missing.flatMap((d) => records[d] ?? []);
    const outputs = await ranker.run(missingTexts, widened(wanted, known), caller).catch((error: unknown) => {
      throw relocated(error, (text) => distinct.firsts[missing[text] as number] as number);
    });
    const { tokeniseMs, queueMs, inferMs } = outputs.timings;
    stopwatch.lapInParts({ tokenise: tokeniseMs, queue: queueMs, infer: inferMs }, "ipc");
    missing.forEach((d, m) => {
      records[d] = recordOf(outputs, m, missing.length);
    });
    if (storeFailure === null) {
      const entries = missing.map((d) => ({
        key: keys[distinct.firsts[d] as number] as OutputsKey,
        record: records[d] as OutputsRecord,
      }));
      kept = store.writeOutputs(entries).then(() => null, asAssayError);
    }
  }
  const columns = columnsOf(records as OutputsRecord[], distinct.of, ranker.model.classes, wanted);
  const cached = distinct.of.map((d) => hits[d] as boolean);
  stopwatch.lap("cache");
  return { ...columns, cached, keys, storeFailure, kept };
}

/** The least time that the store is given. A store that needs less than this is only slow; it does not hang. */
const CACHE_WAIT_MIN_MS = 250;

/** The store, limited to half of the time that the caller has left. If the store hangs, the model needs the other half. */
function cacheUntil(
  store: OutputsStore,
  { deadlineAtMs }: Caller,
): { store: OutputsStore; release: () => void } {
  if (deadlineAtMs === null) return { store, release: () => undefined };
  const controller = new AbortController();
  const waitMs = Math.max(CACHE_WAIT_MIN_MS, (deadlineAtMs - performance.now()) / 2);
  const timer = setTimeout(() => {
    const detail = `The store did not answer within ${Math.round(waitMs)} ms`;
    controller.abort(new AssayError("store_unavailable", { detail }));
  }, waitMs);
  return {
    store: outputsUntil(store, { signal: controller.signal, deadlineAtMs: null }),
    release: () => clearTimeout(timer),
  };
}

/** What to run for the wanted parts and the parts of these records together. Only the graphs forward and norms share a key. */
function widened(wanted: WantedRecord, known: readonly OutputsRecord[]): WantedRecord {
  const parts = OUTPUTS_PARTS.filter((name) => known.some((record) => record[name] !== undefined));
  const asked = KEPT_MATRICES.filter((name) => parts.includes(name) || gives(wanted, name));
  const isLess = parts.some((name) => !gives({ graph: wanted.graph, asked }, name));
  return wanted.graph === "forward" && isLess ? { graph: "norms", asked } : { ...wanted, asked };
}

function recordOf(outputs: Outputs, index: number, count: number): OutputsRecord {
  const row = (matrix: Float32Array): Float32Array => {
    const width = matrix.length / count;
    return matrix.slice(index * width, (index + 1) * width);
  };
  return {
    logits: row(outputs.logits),
    featureNormSquared: outputs.featureNormsSquared[index] as number,
    truncated: outputs.truncated[index] === 1,
    ...mapped((name) => outputs[name] && row(outputs[name])),
  };
}

/** The matrices that `make` returns; a matrix is absent if `make` returns undefined for its name. */
function mapped(make: (name: OutputsPart) => Float32Array | undefined): Matrices {
  const made: { -readonly [M in keyof Matrices]: Float32Array } = {};
  for (const name of OUTPUTS_PARTS) {
    const matrix = make(name);
    if (matrix !== undefined) made[name] = matrix;
  }
  return made;
}

/** A failure of the store, which scoring survives without the cache. Throws any other error. */
function tolerated(error: unknown): AssayError {
  if (isStoreFailure(error)) return error;
  throw error;
}

/** Resolves when all promises have settled: to the first failure, or to null if there is none. */
export async function firstFailure(kept: readonly Promise<AssayError | null>[]): Promise<AssayError | null> {
  return (await Promise.all(kept)).find((failure) => failure !== null) ?? null;
}

interface Distinct {
  /** For each distinct content, the index of its first text. */
  readonly firsts: readonly number[];
  /** (N) For each text, the index of its content in `firsts`. */
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

type Columns = Omit<KnownOutputs, "cached" | "keys" | "storeFailure" | "kept">;

function columnsOf(
  records: readonly OutputsRecord[],
  of: readonly number[],
  classes: number,
  wanted: WantedRecord,
): Columns {
  const logits = new Float32Array(of.length * classes);
  const featureNormsSquared = new Float32Array(of.length);
  of.forEach((d, index) => {
    const record = records[d] as OutputsRecord;
    for (let k = 0; k < classes; k++) logits[index * classes + k] = record.logits[k] as number;
    featureNormsSquared[index] = record.featureNormSquared;
  });
  const rows = (name: OutputsPart): Float32Array =>
    rowsOf(
      records.map((record) => record[name] as Float32Array),
      of,
    );
  return {
    classes,
    logits,
    featureNormsSquared,
    ...mapped((name) => (gives(wanted, name) ? rows(name) : undefined)),
    gramOf: (index) => (records[of[index] as number] as OutputsRecord).gram,
    truncated: of.map((d) => (records[d] as OutputsRecord).truncated),
  };
}

function rowsOf(rows: readonly Float32Array[], of: readonly number[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const matrix = new Float32Array(of.length * width);
  of.forEach((d, index) => {
    matrix.set(rows[d] as Float32Array, index * width);
  });
  return matrix;
}
