import { randomBytes } from "node:crypto";
import { giveTurn } from "../../observe/turns.js";
import { embeddingColumns, originOf } from "../codec/embedding.js";
import type { EmbeddingsState } from "../codec/embeddings-state.js";
import { isSameDigest } from "../codec/sample.js";
import { storedNumbers, storedTextDigest } from "../codec/stored.js";
import type { DatasetSettings, EmbeddingStore, FreshEmbeddings, WrittenEmbeddings } from "../dataset-port.js";
import type { EmbeddingSettings } from "../dataset-records.js";
import { encodeEmbeddings } from "../encode-embeddings.js";
import { samplesKeepTheirIds } from "../hashed-ids.js";
import type { Lifetime } from "../lifetime.js";
import type { OutputsStore } from "../port.js";
import type { Change, CountedEntry, DatasetEntries } from "./dataset-entries.js";
import { INCARNATION_BYTES, newEntry } from "./dataset-entry.js";
import { planEmbeddings } from "./embedding-plan.js";
import type { Environment } from "./environment.js";
import type { KeptIds } from "./kept-ids.js";
import { after, sampleKey } from "./sample-key.js";

/** Embeddings that a scan reads in one turn of the event loop. */
const CHUNK = 1000;

const NOTHING_KEPT: WrittenEmbeddings = { kept: 0, withoutRoom: 0 };

interface EmbeddingsNeeds extends Pick<OutputsStore, "digestKey"> {
  readonly datasets: DatasetEntries;
  readonly keptIds: KeptIds;
}

/**
 * The embeddings of samples by number.
 *
 * @param purge removes the embeddings that settings have left behind
 */
export function openEmbeddings(
  { samples, embeddings, doomed }: Pick<Environment, "samples" | "embeddings" | "doomed">,
  { datasets, keptIds, digestKey }: EmbeddingsNeeds,
  { run }: Lifetime,
  purge: () => void,
): EmbeddingStore {
  function planSettings(
    dataset: string,
    found: CountedEntry | null,
    { embedding, hashedIds }: Partial<DatasetSettings>,
  ): Change<true> | null {
    const entry = found ?? newEntry(Date.now());
    const nextHashed = hashedIds ?? entry.hashedIds;
    if (nextHashed !== entry.hashedIds && entry.samples > 0) throw samplesKeepTheirIds(dataset, nextHashed);
    const before = entry.embeddings;
    const next = embedding === undefined ? before : stateOf(embedding, before);
    const ended = before !== null && before.life !== next?.life ? before.life : null;
    return {
      entry: { ...entry, embeddings: next, hashedIds: nextHashed },
      write: () => {
        if (ended !== null) doomed.put(Buffer.from(ended, "hex"), Buffer.of(1));
      },
      result: true,
    };
  }

  /** @param bodies (N) packed for the life of the embeddings. Null if that life has ended */
  function planWriting(
    dataset: string,
    entry: CountedEntry | null,
    { origin, ids, textDigests }: FreshEmbeddings,
    { life, bodies }: { readonly life: string; readonly bodies: readonly Buffer[] },
  ): Change<WrittenEmbeddings> | null {
    const plan = planEmbeddings(embeddings, entry?.embeddings ?? null);
    if (entry === null || plan === null || plan.state().life !== life) return null;
    const keptId = keptIds(dataset, entry);
    let kept = 0;
    let withoutRoom = 0;
    for (const [index, id] of ids.entries()) {
      const stored = samples.getBinaryFast(sampleKey(entry, keptId(id)));
      if (stored === undefined || !isSameDigest(storedTextDigest(stored), textDigests[index] ?? null))
        continue;
      const { number } = storedNumbers(stored);
      if (plan.put(number, origin, bodies[index] as Buffer)) kept++;
      else withoutRoom++;
    }
    const result = { kept, withoutRoom };
    return { entry: { ...entry, embeddings: plan.state() }, write: () => plan.write(), result };
  }

  return {
    writeSettings: (dataset, settings) =>
      run(async () => {
        // Whoever plans a change of the dataset later reads the key.
        if (settings.hashedIds) await digestKey();
        await datasets.change(dataset, (entry) => planSettings(dataset, entry, settings));
        purge();
      }),

    readSettings: (dataset) =>
      run((): DatasetSettings | null => {
        const entry = datasets.read(dataset);
        if (entry === null) return null;
        const { embeddings: state, hashedIds } = entry;
        return { embedding: state && { type: state.type, bytesMax: state.bytesMax }, hashedIds };
      }),

    writeEmbeddings: (dataset, fresh) =>
      run(async () => {
        for (;;) {
          const state = datasets.read(dataset)?.embeddings ?? null;
          if (state === null) return NOTHING_KEPT;
          const { life, type } = state;
          const bodies = await encodeEmbeddings(type, fresh);
          const written = await datasets.change(dataset, (entry) =>
            planWriting(dataset, entry, fresh, { life, bodies }),
          );
          if (written !== null) return written;
        }
      }),

    async *scanEmbeddings(dataset) {
      const begun = await run(() => datasets.read(dataset));
      const state = begun?.embeddings ?? null;
      const origin = state?.origins.at(-1);
      if (begun === null || state === null || origin === undefined) return;
      const life = Buffer.from(state.life, "hex");
      const end = after(life);
      for (let start: Buffer | null = life; start !== null; ) {
        const from: Buffer = start;
        const found = await run(() => {
          // A new view, which no deletion that was acknowledged before is missing from.
          const current = datasets.read(dataset);
          if (current?.embeddings?.life !== state.life) return null;
          return [...embeddings.getRange({ start: from, end, limit: CHUNK })];
        });
        if (found === null) return;
        const rows = found
          .filter(({ value }) => originOf(value) === origin.number)
          .map(({ key, value }) => ({ number: key.readUInt32BE(INCARNATION_BYTES), stored: value }));
        if (rows.length > 0)
          yield embeddingColumns(begun.incarnation.toString("hex"), state.type, origin, rows);
        const last = found.at(-1);
        start = found.length < CHUNK || last === undefined ? null : Buffer.concat([last.key, Buffer.of(0)]);
        await giveTurn();
      }
    },
  };
}

/** The state under new settings. Another type begins another life. */
function stateOf(settings: EmbeddingSettings | null, before: EmbeddingsState | null): EmbeddingsState | null {
  if (settings === null) return null;
  if (before?.type === settings.type) return { ...before, bytesMax: settings.bytesMax };
  return { ...settings, life: randomBytes(INCARNATION_BYTES).toString("hex"), origins: [] };
}
