import { messageOf } from "../../../errors.js";
import type { Priority } from "../../batch-planner.js";
import type { Text } from "../../port.js";
import { charactersOf } from "../../token-estimate.js";
import type { TokenisedText, Tokeniser } from "../../tokeniser.js";
import type { RunPart } from "../protocol.js";

/** Most texts that are tokenised at once. Their calls take about a millisecond of this thread. */
const SLICE_TEXTS = 64;
/** Most characters that are tokenised at once, except for a single text that has more. */
const SLICE_CHARACTERS = 8192;

/** A run with a longer text takes the long lane. If such a text cannot be cut, tokenising it takes a tenth of a second. */
const LONG_CHARACTERS = 5000;

/** Texts of one run that go to the sessions together: enough to choose batches from, and few enough for a short wait. */
const ROWS_MAX = 512;

export interface TokenisingOptions {
  readonly tokenise: Tokeniser;
  /** The rows of the part from `from` on are tokenised. */
  readonly onTokenised: (part: RunPart, from: number, texts: readonly TokenisedText[]) => void;
  readonly onFailed: (run: number, reason: string) => void;
}

export interface Tokenising {
  add(part: RunPart): void;
  cancel(run: number): void;
  busy(): boolean;
}

/**
 * Tokenises runs in slices. Each priority has one lane for runs of short texts and one for runs with long texts. All four lanes
 * work at the same time, so a short text never waits for a long text or for bulk.
 */
export function createTokenising(options: TokenisingOptions): Tokenising {
  const lanesOf = (): { short: Tokenising; long: Tokenising } => ({
    short: createLane(options),
    long: createLane(options),
  });
  const lanes: Record<Priority, ReturnType<typeof lanesOf>> = { interactive: lanesOf(), bulk: lanesOf() };
  const all = Object.values(lanes).flatMap(({ short, long }) => [short, long]);
  return {
    add(part) {
      const isLong = part.texts.some((text) => charactersOf(text) > LONG_CHARACTERS);
      lanes[part.priority][isLong ? "long" : "short"].add(part);
    },
    cancel(run) {
      for (const lane of all) lane.cancel(run);
    },
    busy: () => all.some((lane) => lane.busy()),
  };
}

/** Tokenises runs in their order, one slice at a time. */
function createLane({ tokenise, onTokenised, onFailed }: TokenisingOptions): Tokenising {
  let waiting: Progress[] = [];
  let running = false;

  async function drain(): Promise<void> {
    if (running) return;
    running = true;
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      if (await step(first)) waiting = waiting.filter((other) => other !== first);
      await new Promise((resolve) => setImmediate(resolve));
    }
    running = false;
  }

  /** Tokenises one slice of a run. True if the run leaves the lane. */
  async function step(progress: Progress): Promise<boolean> {
    const { part, texts } = progress;
    try {
      const slice = sliceOf(part.texts, progress.from + texts.length, ROWS_MAX - texts.length);
      const tokenised = await tokenise(slice);
      if (!waiting.includes(progress)) return true;
      texts.push(...tokenised);
    } catch (error) {
      // If the tokenizer fails on a text, only its run fails, and the process continues for the other runs.
      if (waiting.includes(progress)) onFailed(part.run, `Tokenising failed: ${messageOf(error)}`);
      return true;
    }
    if (!isFull(progress)) return false;
    onTokenised(part, progress.from, texts);
    progress.from += texts.length;
    progress.texts = [];
    return progress.from === part.texts.length;
  }

  return {
    add(part) {
      waiting.push({ part, from: 0, texts: [] });
      void drain();
    },
    cancel(run) {
      waiting = waiting.filter(({ part }) => part.run !== run);
    },
    busy: () => running,
  };
}

interface Progress {
  readonly part: RunPart;
  /** The rows before this one have gone to the sessions. */
  from: number;
  texts: TokenisedText[];
}

/** Texts from `from` on, at most `count`. */
function sliceOf(texts: readonly Text[], from: number, count: number): Text[] {
  const last = Math.min(texts.length, from + Math.min(count, SLICE_TEXTS));
  const slice: Text[] = [];
  let characters = 0;
  for (const text of texts.slice(from, last)) {
    characters += charactersOf(text);
    if (slice.length > 0 && characters > SLICE_CHARACTERS) break;
    slice.push(text);
  }
  return slice;
}

function isFull({ part, from, texts }: Progress): boolean {
  return texts.length === ROWS_MAX || from + texts.length === part.texts.length;
}
