import { randomBytes } from "node:crypto";
import { decodeHistory, encodeHistory } from "../codec/history.js";
import { encodeSample } from "../codec/sample.js";
import { openShapeTexts, type Shape, textOfShape } from "../codec/shape.js";
import { decodeRecord } from "../codec/stored.js";
import type {
  HistoryRules,
  MergeRecords,
  SampleEntries,
  SampleEntry,
  WrittenSamples,
} from "../dataset-port.js";
import type { SampleHistory, SampleRecord, TrainingCheckpoint } from "../dataset-records.js";
import { growHistory, type PlacedCheckpoint, placeCheckpoint } from "../history.js";
import { openRecent } from "../recent.js";
import { refuseShapes, SHAPES_CACHED_MAX } from "../shape-limits.js";
import type { Argument, Connection } from "./connection.js";
import type { DatasetKeys } from "./datasets.js";
import { type KeptIds, OTHER_IDS, type SentIds } from "./kept-ids.js";
import { bucketOf } from "./keys.js";
import { readPackedList } from "./packed-list.js";
import { WRITE_SAMPLES } from "./scripts.js";

/** What to write. */
export interface Writing {
  readonly dataset: string;
  readonly entries: SampleEntries;
  readonly merge: MergeRecords | undefined;
  readonly history: HistoryRules | undefined;
}

interface WritingNeeds {
  readonly datasets: Pick<DatasetKeys, "index" | "shapes">;
  readonly keptIds: KeptIds;
}

/** A dataset's checkpoints as they were read, and the state that `WRITE_SAMPLES` compares. */
interface KnownCheckpoints {
  readonly state: string;
  readonly checkpoints: readonly TrainingCheckpoint[];
}

/** Most checkpoints of all datasets that a process has in memory. */
const CHECKPOINTS_CACHED_MAX = 2 ** 16;

const NO_CHECKPOINTS: KnownCheckpoints = { state: "0", checkpoints: [] };

/** A dataset's shapes as they were read, and the state that `WRITE_SAMPLES` compares if it adds shapes. */
interface KnownShapes {
  readonly state: string;
  readonly shapes: readonly Shape[];
  readonly texts: ReadonlySet<string>;
}

const NO_SHAPES: KnownShapes = { state: "", shapes: [], texts: new Set() };
/** A state that no dataset has. */
const UNREAD = "unread";

/** A sample that is to be replaced. */
interface OldSample {
  readonly stored: Buffer;
  readonly record: SampleRecord;
  /** Empty if there is no history. */
  readonly storedHistory: Buffer;
  readonly history: SampleHistory | null;
}

/**
 * Writes samples and their histories. If what is kept depends on what is replaced, tries again until it has seen all of that.
 *
 * @param keyOf key of a dataset's own hash
 */
export function openWriting(
  connection: Connection,
  { datasets, keptIds }: WritingNeeds,
  keyOf: (dataset: string) => string,
): (writing: Writing) => Promise<WrittenSamples> {
  /** Of datasets that this process has written a checkpoint to: most writings need them as they were. */
  const checkpointsOf = openRecent<KnownCheckpoints>(
    CHECKPOINTS_CACHED_MAX,
    ({ checkpoints }) => checkpoints.length + 1,
  );
  const shapesOf = openRecent<KnownShapes>(SHAPES_CACHED_MAX, ({ shapes }) => shapes.length + 1);

  return (writing) => keptIds.within(writing.dataset, (sent) => write(writing, sent));

  async function write(writing: Writing, sent: SentIds): Promise<WrittenSamples | typeof OTHER_IDS> {
    const { dataset, history } = writing;
    const olds = new Map<string, OldSample>();
    /** What was read last may be of an earlier life of the dataset, so only what this writing has read may refuse it. */
    let isRead = false;
    for (;;) {
      const last = checkpointsOf.get(dataset) ?? NO_CHECKPOINTS;
      const known = isRead || hasCheckpoint(last, history?.checkpoint ?? null) ? last : NO_CHECKPOINTS;
      const placed = placeCheckpoint(known.checkpoints, history?.checkpoint ?? null);
      const packed = packSamples(writing, olds, { placed, sent });
      const { order, late } = packed;
      const shapesState = stateForShapes(shapesOf.get(dataset) ?? NO_SHAPES, packed.shapes, isRead);
      const head = headOf(writing, placed, known.state);
      const args = [...head, shapesState, sent.expected, ...packed.args];
      const written = await connection.run(WRITE_SAMPLES, keyOf(dataset), args);
      if (written === OTHER_IDS) return OTHER_IDS;
      const { incarnation, differing } = written;
      if (differing === null) {
        const { checkpoints } = placed;
        if (checkpoints.length > 0)
          checkpointsOf.set(dataset, { state: `${incarnation}:${checkpoints.length}`, checkpoints });
        await datasets.index(dataset, incarnation);
        return { late };
      }
      const { checkpoints, stored, histories } = differing;
      const state = checkpoints.length === 0 ? NO_CHECKPOINTS.state : `${incarnation}:${checkpoints.length}`;
      checkpointsOf.set(dataset, { state, checkpoints });
      isRead = true;
      const shapes = await datasets.shapes(dataset, incarnation, differing.shapes);
      if (shapes === null) {
        shapesOf.delete(dataset);
        olds.clear(); // the dataset was deleted in the meantime
        continue;
      }
      if (shapes.length === 0) shapesOf.delete(dataset);
      else shapesOf.set(dataset, knownShapes(`${incarnation}:${shapes.length}`, shapes));
      const ofIndex = new Map<number, Buffer>();
      readPackedList(histories, (index, from, to) =>
        ofIndex.set(index, Buffer.from(histories.subarray(from, to))),
      );
      readPackedList(stored, (index, from, to) => {
        const id = order[index] as string;
        if (from === to) {
          olds.delete(id);
          return;
        }
        const bytes = Buffer.from(stored.subarray(from, to));
        const record = decodeRecord(bytes, (number) => shapes[number]);
        const storedHistory = ofIndex.get(index) ?? Buffer.alloc(0);
        const decoded = storedHistory.length === 0 ? null : decodeHistory(storedHistory);
        olds.set(id, { stored: bytes, record, storedHistory, history: decoded });
      });
    }
  }
}

function hasCheckpoint({ checkpoints }: KnownCheckpoints, wanted: TrainingCheckpoint | null): boolean {
  return (
    wanted === null || checkpoints.some(({ name, step }) => name === wanted.name && step === wanted.step)
  );
}

function knownShapes(state: string, shapes: readonly Shape[]): KnownShapes {
  return { state, shapes, texts: new Set(shapes.map(textOfShape)) };
}

/**
 * The state with which a script may add these shapes. Throws `shapes_full` if they are too many.
 *
 * @param isRead whether this writing has read what is known: if not, it may be of an earlier life of the dataset, and refuses nothing
 */
function stateForShapes(known: KnownShapes, texts: readonly string[], isRead: boolean): string {
  try {
    refuseShapes(
      known.shapes,
      texts.filter((text) => !known.texts.has(text)),
    );
    return known.state;
  } catch (error) {
    if (isRead) throw error;
    return UNREAD;
  }
}

interface PackedSamples {
  /** The ids in the order of the arguments. */
  readonly order: readonly string[];
  /** The texts of the shapes. */
  readonly shapes: readonly string[];
  readonly args: readonly Argument[];
  readonly late: number;
}

/** The samples as arguments of `WRITE_SAMPLES`, grouped by shape. */
function packSamples(
  { entries, merge, history: rules }: Writing,
  olds: ReadonlyMap<string, OldSample>,
  { placed, sent }: { readonly placed: PlacedCheckpoint; readonly sent: SentIds },
): PackedSamples {
  const hasHistories = rules !== undefined && placed.checkpoints.length > 0;
  const byShape = new Map<string, { readonly ids: string[]; readonly args: Argument[] }>();
  const textOf = openShapeTexts();
  let late = 0;
  for (const index of lastOfEach(entries)) {
    const { id, record, logits } = entries.at(index) as SampleEntry;
    const old = olds.get(id);
    const merged = old === undefined || merge === undefined ? record : merge(old.record, record);
    const grown = hasHistories
      ? growHistory({ record: merged, logits, old: old ?? null }, placed, rules)
      : null;
    if (grown?.late) late++;
    const own = grown?.record ?? merged;
    const { text, signals } = textOf(own);
    const group = byShape.get(text) ?? { ids: [], args: [] };
    byShape.set(text, group);
    group.ids.push(id);
    const kept = sent.keptId(id);
    group.args.push(bucketOf(kept), kept, old?.stored ?? "", encodeSample(own, signals));
    if (grown !== null) group.args.push(old?.storedHistory ?? "", packHistory(grown.history, old));
  }
  const order: string[] = [];
  const args: Argument[] = [];
  for (const [text, group] of byShape) {
    args.push(text, group.ids.length);
    for (const id of group.ids) order.push(id);
    for (const arg of group.args) args.push(arg);
  }
  return { order, shapes: [...byShape.keys()], args, late };
}

/** The arguments of `WRITE_SAMPLES` before the state of the shapes. */
function headOf({ merge, history }: Writing, placed: PlacedCheckpoint, state: string): Argument[] {
  const { checkpoint = null } = history ?? {};
  const hasHistories = history !== undefined && placed.checkpoints.length > 0;
  return [
    randomBytes(6).toString("base64url"),
    merge !== undefined || hasHistories ? 1 : 0,
    history === undefined ? "" : state,
    checkpoint?.name ?? "",
    checkpoint === null ? "" : `${placed.number} ${checkpoint.step}`,
    hasHistories ? 6 : 4,
  ];
}

/** The index of each id's last entry, in the order in which the ids first come. */
function lastOfEach(entries: SampleEntries): Iterable<number> {
  const last = new Map<string, number>();
  for (let index = 0; index < entries.length; index++) last.set((entries.at(index) as SampleEntry).id, index);
  return last.values();
}

function packHistory(history: SampleHistory | null, old: OldSample | undefined): Argument {
  if (history === null) return "";
  return old !== undefined && history === old.history ? old.storedHistory : encodeHistory(history);
}
