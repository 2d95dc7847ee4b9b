import { AssayError } from "../errors.js";
import { requireMemory } from "./memory.js";
import { estimateMemory } from "./memory-estimate.js";
import { describeModel, type ModelFolder } from "./model-folder.js";
import type { ModelDescription, ModelMemory, Ranker, ServedModel } from "./port.js";
import { isOnCpu, openRanker, type RankerOptions } from "./ranker.js";

/** One model by its name. Its ranker can be replaced while it serves. */
export interface Swappable {
  inspect(): ServedModel;
  /** `Ranker.memoryBytes`; null if no ranker runs. */
  memoryBytes(): Promise<number | null>;
  /** The folder that the present ranker runs from, or will run from once it is started. */
  folder(): ModelFolder;
  /** The present ranker; starts it if needed. Throws `memory_insufficient` if it would not fit into memory. */
  ranker(): Ranker;
  /** Gives `work` the present ranker, which stays open until `work` has settled. */
  use<T>(work: (ranker: Ranker) => Promise<T>): Promise<T>;
  /**
   * Loads `next` while the present ranker still serves, and replaces it once the new one is ready. If the new one fails to load,
   * ends it and throws `model_invalid` with the reason. Throws `memory_insufficient` if both do not fit into memory. `onEnded` runs when the ranker of `next` has ended, at any later time.
   * Answers a function that ends the old ranker and settles when its runs have finished and its process is gone.
   */
  swap(next: ModelFolder, onEnded?: () => Promise<void>): Promise<() => Promise<void>>;
  /** Uses `next` for the ranker that has not been started yet; false if a ranker runs. Throws `model_invalid`. */
  prepare(next: ModelFolder): boolean;
  close(): Promise<void>;
}

/** A ranker and the number of its users. */
interface Opened {
  readonly ranker: Ranker;
  users: number;
  /** Whether the ranker serves. Only then its state is reported: not while it is checked, and not while it drains. */
  serves: boolean;
  /** Called when the last user has gone. */
  onUnused: () => void;
  readonly onEnded: () => Promise<void>;
}

/** A model whose engine is not started yet. */
export function openSwappable(first: ModelFolder, options: RankerOptions): Swappable {
  const { observer } = options;
  const alive = new Set<Opened>();
  let folder = first;
  let model: ModelDescription = describeModel(folder, options.precision);
  let current: Opened | null = null;
  let queued = 0;

  function open(from: ModelFolder, serves: boolean, onEnded = async (): Promise<void> => undefined): Opened {
    if (isOnCpu(options)) {
      const { loaded } = estimateMemory(from.manifest, options);
      requireMemory(`Model ${from.manifest.name}`, loaded, options.availableMemory());
    }
    let mine = 0;
    const ranker = openRanker(from, {
      ...options,
      observer: {
        ...observer,
        state(name, state) {
          if (opened.serves) observer.state(name, state);
        },
        // Two rankers of the same name share one gauge.
        queued(name, tokens) {
          queued += tokens - mine;
          mine = tokens;
          observer.queued(name, queued);
        },
      },
    });
    const opened: Opened = { ranker, users: 0, serves, onUnused: () => undefined, onEnded };
    alive.add(opened);
    return opened;
  }

  function present(): Opened {
    current ??= open(folder, true);
    return current;
  }

  async function end(opened: Opened): Promise<void> {
    await opened.ranker.close();
    alive.delete(opened);
    await opened.onEnded();
  }

  return {
    inspect: () => ({
      model,
      memory: memoryOf(folder, options),
      state: current?.ranker.state() ?? { status: "idle" },
    }),
    memoryBytes: async () => current?.ranker.memoryBytes() ?? null,
    folder: () => folder,
    ranker: () => present().ranker,

    async use(work) {
      const opened = present();
      opened.users += 1;
      try {
        return await work(opened.ranker);
      } finally {
        opened.users -= 1;
        if (opened.users === 0) opened.onUnused();
      }
    },

    async swap(next, onEnded) {
      const description = describeModel(next, options.precision);
      const candidate = open(next, false, onEnded);
      const state = await candidate.ranker.settled();
      if (state.status !== "ready") {
        await end(candidate);
        throw new AssayError("model_invalid", { detail: state.reason });
      }
      const old = current;
      if (old !== null) old.serves = false;
      candidate.serves = true;
      if (old?.ranker.state().status !== "ready") observer.state(description.name, state);
      current = candidate;
      folder = next;
      model = description;
      return async () => {
        if (old === null) return;
        if (old.users > 0) {
          await new Promise<void>((resolve) => {
            old.onUnused = resolve;
          });
        }
        await end(old);
      };
    },

    prepare(next) {
      if (current !== null) return false;
      model = describeModel(next, options.precision);
      folder = next;
      return true;
    },

    async close() {
      await Promise.all([...alive].map(end));
    },
  };
}

function memoryOf({ manifest }: ModelFolder, options: RankerOptions): ModelMemory {
  const { loaded, added } = estimateMemory(manifest, options);
  const whole = Object.values(added).reduce((sum, bytes) => sum + bytes, loaded);
  return { forwardBytes: Math.round(loaded), allGraphsBytes: Math.round(whole) };
}
