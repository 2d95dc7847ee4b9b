import { corrupt } from "../codec/bytes.js";
import { parseObject } from "../codec/json.js";
import { decodeOutputs, encodeOutputs } from "../codec/outputs.js";
import type { Lifetime } from "../lifetime.js";
import type { OutputsLimits } from "../options.js";
import type { OutputsKey, OutputsRecord, OutputsStore } from "../port.js";
import { type Environment, freshVersion, type Table } from "./environment.js";

const CLOCK_KEY = Buffer.from("outputs_clock");
/** LMDB's overhead for an entry: the bytes of its node, and a factor for pages that are not full. */
const NODE_BYTES = 10;
const PAGE_SLACK = 1.5;
/** Bytes are added to the clock in steps of this share of the limit, so that few writes change the clock. */
const REPORT_SHARE = 1 / 64;

/** An outputs record in its stored form. */
interface PackedOutputs {
  readonly key: OutputsKey;
  readonly bytes: Buffer;
}

/** The generation that is being filled, its start, and an estimate of its bytes. */
interface Clock {
  readonly generation: number;
  readonly startedAtMs: number;
  readonly bytes: number;
}

/**
 * Outputs are in two generations: the one that is being filled, and the one before. When the first is older than `outputsTtlMs`
 * or has an estimated half of `outputsBytesMax`, the other one is emptied and filled next. A record is therefore found for at
 * least `outputsTtlMs` (unless space runs out) and never after twice that time, and old records are removed in one step.
 */
export function openOutputs(
  { singletons, outputs, refresh, putIf, batch }: Environment,
  { run }: Lifetime,
  limits: OutputsLimits,
): Omit<OutputsStore, "digestKey"> {
  const tableOf = (generation: number): Table => outputs[generation % 2 === 0 ? 0 : 1];
  let bytesUnreported = 0;
  /** Records that this process is writing. They can be read before they are committed, as with Redis. */
  const writing = new Map<string, Buffer>();

  /** The generations that may still be read, the newer one first. */
  function readable(): Table[] {
    refresh();
    const entry = singletons.getEntry(CLOCK_KEY);
    if (entry === undefined) return [];
    const { generation, startedAtMs } = parseClock(entry.value);
    const ageMs = Date.now() - startedAtMs;
    if (ageMs > 2 * limits.outputsTtlMs) return [];
    const current = tableOf(generation);
    return ageMs > limits.outputsTtlMs ? [current] : [current, tableOf(generation + 1)];
  }

  /** Advances the clock if that is due. Returns the table to fill. */
  async function tableToFill(): Promise<Table> {
    for (;;) {
      refresh();
      const entry = singletons.getEntry(CLOCK_KEY);
      const clock = entry === undefined ? null : parseClock(entry.value);
      const due = clock === null || isDue(clock);
      if (!due && bytesUnreported < limits.outputsBytesMax * REPORT_SHARE) return tableOf(clock.generation);
      const bytes = bytesUnreported;
      const next = due
        ? { generation: clock === null ? 0 : clock.generation + 1, startedAtMs: Date.now(), bytes: 0 }
        : { ...clock, bytes: clock.bytes + bytes };
      const moved = await putIf(singletons, CLOCK_KEY, entry?.version ?? null, () => {
        if (due) tableOf(next.generation).clearAsync();
        singletons.put(CLOCK_KEY, Buffer.from(JSON.stringify(next)), freshVersion());
      });
      if (!moved) continue;
      bytesUnreported -= bytes;
      return tableOf(next.generation);
    }
  }

  function isDue({ startedAtMs, bytes }: Clock): boolean {
    const ageMs = Date.now() - startedAtMs;
    return ageMs > limits.outputsTtlMs || bytes + bytesUnreported > limits.outputsBytesMax / 2;
  }

  async function commit(packed: readonly PackedOutputs[]): Promise<void> {
    const table = await tableToFill();
    for (const { key, bytes } of packed) {
      bytesUnreported += Math.ceil((key.length + bytes.length + NODE_BYTES) * PAGE_SLACK);
    }
    await batch(table, () => {
      for (const { key, bytes } of packed) table.put(key, bytes);
    });
  }

  function read(keys: readonly OutputsKey[]): (OutputsRecord | null)[] {
    const tables = readable();
    return keys.map((key) => {
      const unwritten = writing.size === 0 ? undefined : writing.get(nameOf(key));
      if (unwritten !== undefined) return decodeOutputs(unwritten);
      for (const table of tables) {
        const bytes = table.getBinaryFast(key);
        if (bytes !== undefined) return decodeOutputs(bytes);
      }
      return null;
    });
  }

  async function write(packed: readonly PackedOutputs[]): Promise<void> {
    for (const { key, bytes } of packed) writing.set(nameOf(key), bytes);
    try {
      await commit(packed);
    } finally {
      for (const { key, bytes } of packed) {
        if (writing.get(nameOf(key)) === bytes) writing.delete(nameOf(key));
      }
    }
  }

  return {
    readOutputs: (keys) => run(() => read(keys)),

    writeOutputs: (entries) =>
      run(async () => {
        if (entries.length === 0) return;
        await write(entries.map(({ key, record }) => ({ key, bytes: encodeOutputs(record) })));
      }),
  };
}

function nameOf(key: OutputsKey): string {
  return key.toString("latin1");
}

function parseClock(value: Buffer): Clock {
  const { generation, startedAtMs, bytes } = parseObject(value.toString(), "the clock of the outputs");
  if (typeof generation !== "number" || typeof startedAtMs !== "number" || typeof bytes !== "number") {
    throw corrupt("the clock of the outputs is incomplete");
  }
  return { generation, startedAtMs, bytes };
}
