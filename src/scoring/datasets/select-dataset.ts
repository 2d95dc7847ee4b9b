import { setImmediate as turn } from "node:timers/promises";
import { type Fault, faultsError, throwFaults } from "../../errors.js";
import { selectionFault } from "../../importance/selection/faults.js";
import { SELECTION_RULES } from "../../importance/selection/rules.js";
import { select } from "../../importance/selection/select.js";
import { strataMembers } from "../../importance/selection/strata.js";
import type { Seed, Selection, SelectionRequest, Steps } from "../../importance/selection/types.js";
import type { EmbeddingOrigin } from "../../store/dataset-records.js";
import type { Store } from "../../store/port.js";
import { buildIndex } from "../looks/dataset-index.js";
import {
  checkSelection,
  fault,
  needsEmbeddings,
  type PostedSelection,
  selectionOptions,
} from "../requests/selection.js";
import { orderByIds } from "./id-order.js";
import type { DatasetPorts, Hooks } from "./long-work.js";
import { type PackedIds, packIds } from "./packed-ids.js";
import { hashOfIds, readDataset, requireSameDataset } from "./remembered.js";
import { selectionAdvice } from "./selection-advice.js";
import { checkEmbeddings, readEmbeddings } from "./selection-embeddings.js";
import { poolOf } from "./selection-pool.js";
import { type NamedStrata, strataOf } from "./strata.js";

/** What to select. Plain values only. */
export interface SelectInput {
  readonly dataset: string;
  readonly selection: PostedSelection;
  /** The models that are served now: `name@version`. */
  readonly served: readonly string[];
}

/** The n samples selected of a dataset. Plain values and columns only, because it passes between threads. */
export interface DatasetSelection {
  readonly facts: SelectionFacts;
  /** (n) In the order of the selection. */
  readonly ids: PackedIds;
  /** (n) each; null if the method gives no multipliers. See `Estimator`. */
  readonly estimator: {
    readonly counts: Uint32Array;
    readonly probabilities: Float64Array;
    readonly multipliers: Float64Array;
  } | null;
}

/** What was selected from what, without the samples. */
export interface SelectionFacts {
  readonly dataset: string;
  /** Whether the ids are keyed hashes, because the dataset keeps no others. */
  readonly hashedIds: boolean;
  readonly method: PostedSelection["method"];
  readonly signal: string | null;
  readonly seed: Seed;
  /** Version of the snapshot whose weights were the scores; null if a signal was. */
  readonly snapshot: number | null;
  readonly models: readonly string[];
  readonly losses: readonly string[];
  readonly selectedAtMs: number;
  /** Samples of the dataset. */
  readonly samples: number;
  /** Samples that could be selected. */
  readonly candidates: number;
  /** Samples that pass the filter and are not excluded, but have no score. */
  readonly withoutScore: number;
  /** What made the embeddings that were read; null if the method reads none. */
  readonly embedding: EmbeddingOrigin | null;
  /** Samples of the dataset that have no embedding of that origin, and so could not be selected; null if the method reads none. */
  readonly withoutEmbedding: number | null;
  /** n. */
  readonly selected: number;
  readonly divisor: number | null;
  readonly neverDrawn: number | null;
  /** The strata that have candidates; null without strata. */
  readonly strata: readonly StratumFacts[] | null;
  readonly advice: readonly string[];
}

export interface StratumFacts {
  /** Null: the samples without a class, group or source. */
  readonly stratum: string | null;
  readonly candidates: number;
  /** Samples, draws or expected samples that it was to give. */
  readonly size: number;
  readonly selected: number;
}

/** The share of the work that is done once the samples are read. */
const READING = 0.7;
/** The same once their embeddings are read, if the method reads them. */
const READING_EMBEDDINGS = 0.75;

/**
 * Selects samples of a dataset, by the methods of `SELECTION_RULES`. It reads the dataset anew, and orders the samples by
 * `orderByIds`, so the same samples, request and seed give the same selection in every store.
 *
 * Throws `dataset_not_found`; `unsuitable_signal` if no sample has a column of the filter, or the source; and `unsuitable_selection`
 * if the method cannot do what the request asks, if no candidate has a score, or if a quota is larger than its stratum.
 */
export async function selectFromDataset(
  { store }: Pick<DatasetPorts, "store">,
  { dataset, selection, served }: SelectInput,
  { signal, onProgress }: Hooks,
): Promise<DatasetSelection> {
  checkSelection(selection);
  const summary = await readDataset(store, dataset);
  checkEmbeddings(summary, selection);
  const index = await buildIndex({ store }, summary, {
    groups: selection.stratify_by === "group",
    onRead(read) {
      signal.throwIfAborted();
      onProgress(READING * Math.min(1, read / summary.samples));
    },
  });
  const pause = (): Promise<void> => turnOf(signal);
  await pause();
  const ordered = orderByIds(index.count, index.id);
  await pause();
  const embedded = needsEmbeddings(selection)
    ? await readEmbeddings(store, summary, selection, { index, rows: ordered }, (share) => {
        signal.throwIfAborted();
        onProgress(READING + (READING_EMBEDDINGS - READING) * share);
      })
    : null;
  if (embedded !== null) await requireSameDataset(store, summary);
  const rows = embedded?.rows ?? ordered;
  const keptId = await hashOfIds(store, summary);
  const exclude = keptId === null ? selection.exclude : selection.exclude?.map(keptId);
  const pool = poolOf(index, rows, { ...selection, exclude }, summary.snapshot);
  await pause();
  const strata = selection.stratify_by === undefined ? null : strataOf(index, rows, selection.stratify_by);
  const columns = {
    count: rows.length,
    scores: pool.scores,
    embeddings: embedded?.embeddings ?? null,
    strata,
    excluded: pool.excluded,
  };
  const { counts } = strataMembers(columns);
  const request = requestOf(selection, pool.candidates, strata, counts);
  await pause();
  const found = selectionFault(request, columns);
  if (found !== null) throw faultsError("unsuitable_selection", [inWordsOfRequest(found, selection)]);
  const selected = await inTurns(select(request, columns), { signal, onProgress });
  const { indices, estimator } = selected;
  return {
    facts: {
      snapshot: pool.snapshot,
      dataset,
      hashedIds: summary.hashedIds,
      method: selection.method,
      signal: selection.signal ?? null,
      seed: selection.seed,
      models: [...index.seen.models],
      losses: [...index.seen.losses],
      selectedAtMs: Date.now(),
      samples: index.count,
      candidates: selected.candidates,
      withoutScore: pool.withoutScore,
      embedding: embedded?.origin ?? null,
      withoutEmbedding: embedded === null ? null : index.count - rows.length,
      selected: indices.length,
      divisor: estimator?.divisor ?? null,
      neverDrawn: estimator?.neverDrawn ?? null,
      strata: strata && strataFacts(strata, counts, selected),
      advice: selectionAdvice({ selection, index, rows, pool, strata, counts, selected, served }),
    },
    ids: packIds(indices.length, (at) => index.id(rows[indices[at] as number] as number)),
    estimator: estimator && {
      counts: estimator.counts,
      probabilities: estimator.probabilities,
      multipliers: estimator.multipliers,
    },
  };
}

/** Finds the faults of a selection that can be found without reading the samples. Throws as `selectFromDataset` does. */
export async function checkSelecting(
  store: Store,
  dataset: string,
  selection: PostedSelection,
): Promise<void> {
  checkSelection(selection);
  checkEmbeddings(await readDataset(store, dataset), selection);
}

function requestOf(
  selection: PostedSelection,
  candidates: number,
  strata: NamedStrata | null,
  counts: Uint32Array,
): SelectionRequest {
  const { method, seed, share, quotas } = selection;
  const size = share === undefined ? (selection.size ?? null) : Math.max(1, Math.round(share * candidates));
  return {
    ...selectionOptions(selection),
    method,
    seed,
    size,
    quotas: quotas === undefined || strata === null ? null : quotasOf(selection, quotas, strata, counts),
  };
}

/** (S) Quotas by stratum. Throws `unsuitable_selection` for names without a stratum, and for quotas that are too large. */
function quotasOf(
  { method, stratify_by: by }: PostedSelection,
  quotas: Readonly<Record<string, number>>,
  { names }: NamedStrata,
  counts: Uint32Array,
): number[] {
  const given = new Map(Object.entries(quotas));
  const places = new Map(names.map((name, place) => [name, place]));
  const faults: Fault[] = [];
  for (const [name, quota] of given) {
    const place = places.get(name);
    const there = place === undefined ? 0 : (counts[place] as number);
    const mayRepeat = SELECTION_RULES[method].size === "draws" && there > 0;
    if (quota > there && !mayRepeat)
      faults.push(
        fault(["quotas", name], `is ${quota}, and ${there} samples to select from have this ${by}`),
      );
  }
  throwFaults("unsuitable_selection", faults);
  return names.map((name) => (name === null ? 0 : (given.get(name) ?? 0)));
}

/** The parameters of the mathematics have other names in a request. */
function inWordsOfRequest(
  { parameter, reason }: { readonly parameter: string; readonly reason: string },
  { share }: PostedSelection,
): Fault {
  const names: Readonly<Record<string, string>> = {
    scores: "signal",
    excluded: "exclude",
    embeddings: "method",
    ...(share !== undefined && { size: "share" }),
  };
  return fault(names[parameter] ?? parameter, `is not possible: ${reason}`);
}

/** Does the steps. Between two of them it lets other work of the thread have its turn, and ends if the signal has aborted. */
async function inTurns<Result>(steps: Steps<Result>, { signal, onProgress }: Hooks): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    onProgress(READING_EMBEDDINGS + (1 - READING_EMBEDDINGS) * step.value);
    await turnOf(signal);
  }
}

/** Lets other work of the thread have its turn after every step, such as the message that cancels this work. Throws the signal's reason. */
async function turnOf(signal: AbortSignal): Promise<void> {
  await turn();
  signal.throwIfAborted();
}

function strataFacts(
  { of, names }: NamedStrata,
  counts: Uint32Array,
  { indices, sizes }: Selection,
): StratumFacts[] {
  const selected = new Uint32Array(names.length);
  for (const index of indices) {
    const stratum = of[index] as number;
    selected[stratum] = (selected[stratum] as number) + 1;
  }
  return names.flatMap((stratum, place) => {
    const candidates = counts[place] as number;
    if (candidates === 0) return [];
    return [{ stratum, candidates, size: sizes[place] as number, selected: selected[place] as number }];
  });
}
