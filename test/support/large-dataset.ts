import { readFileSync } from "node:fs";
import type { SampleEntry } from "../../src/store/dataset-port.js";
import { SignalRow } from "../../src/store/dataset-records.js";
import type { Store } from "../../src/store/port.js";
import { metric } from "./load.js";
import type { Service } from "./service.js";

const BATCH = 20_000;
/** Batches that are given to the store at once. */
const AT_ONCE = 2;
const SIGNALS = ["loss", "grad_norm_last"];
const OUTPUTS_KEY = Buffer.alloc(16);
const TEXT_DIGEST = Buffer.alloc(6);
export const LARGE_CLASSES = 5;

/** Fills a dataset through the port with samples of two signals, a class and one of two sources. */
export async function fillDataset(store: Store, dataset: string, samples: number): Promise<void> {
  for (let start = 0; start < samples; ) {
    const writes: Promise<unknown>[] = [];
    for (let batch = 0; batch < AT_ONCE && start < samples; batch++, start += BATCH)
      writes.push(store.writeSamples(dataset, entriesOf(start, Math.min(samples, start + BATCH))));
    await Promise.all(writes);
  }
}

function entriesOf(start: number, end: number): SampleEntry[] {
  const entries: SampleEntry[] = [];
  for (let index = start; index < end; index++) {
    const loss = -Math.log(((index * 2654435761) % 2 ** 32) / 2 ** 32 + 1e-9);
    entries.push({
      id: idOfLarge(index),
      record: {
        outputsKey: OUTPUTS_KEY,
        textDigest: TEXT_DIGEST,
        model: "default@0123456789abcdef",
        precision: "fp32",
        loss: "bce",
        directions: [],
        source: index % 2 === 0 ? "clicks" : "crawl",
        observed: null,
        earlier: new Map(),
        label: index % LARGE_CLASSES,
        group: null,
        signals: new SignalRow(SIGNALS, [loss, loss * 3]),
        scoredAtMs: 1_790_000_000_000,
      },
    });
  }
  return entries;
}

/** Ids of 16 bytes, written in the order in which a file has them: query by query. */
export function idOfLarge(index: number): string {
  return `q${String(Math.floor(index / 20)).padStart(7, "0")}:p${String(index % 20).padStart(6, "0")}`;
}

export interface Cost {
  readonly seconds: number;
  /** Processor time of the service's thread that answers: it cannot have been held for longer. */
  readonly answeringSeconds: number;
  /** Most anonymous memory of the process during the work, minus that of the idle process. */
  readonly bytesOverIdle: number;
  /** Longest delay of the event loop, by the service's own metric. */
  readonly loopPauseMs: number;
}

/** What a request costs the service. Its engines, which do nothing meanwhile, are other processes. */
export async function costOf<T>(
  service: Service,
  idleBytes: number,
  work: () => Promise<T>,
): Promise<{ readonly answer: T; readonly cost: Cost }> {
  await metric(service, LOOP_PAUSE); // reading it resets it
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, anonymousBytes(service));
  }, 20);
  try {
    const startedAtMs = performance.now();
    const before = answeringSeconds(service);
    const answer = await work();
    const seconds = (performance.now() - startedAtMs) / 1000;
    const answering = answeringSeconds(service) - before;
    most = Math.max(most, anonymousBytes(service));
    const loopPauseMs = 1000 * (await metric(service, LOOP_PAUSE));
    return {
      answer,
      cost: { seconds, answeringSeconds: answering, bytesOverIdle: most - idleBytes, loopPauseMs },
    };
  } finally {
    clearInterval(watch);
  }
}

const LOOP_PAUSE = "nodejs_eventloop_lag_max_seconds";

/** Memory of the process that no file backs. Pages of LMDB's file do not count: the system takes them back. */
export function anonymousBytes({ process: { pid } }: Pick<Service, "process">): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]);
}

/** Clock ticks of a second in /proc: USER_HZ, which is 100 on every Linux of today. */
const TICKS = 100;

/** Processor time of the main thread. */
function answeringSeconds({ process: { pid } }: Pick<Service, "process">): number {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return ((user as number) + (system as number)) / TICKS;
}
