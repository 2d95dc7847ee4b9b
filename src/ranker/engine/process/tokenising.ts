import type { Priority } from "../../plan.js";
import type { Text } from "../../port.js";
import type { TokenisedText, Tokeniser } from "../../tokeniser.js";
import type { RunPart } from "../protocol.js";

/** The main thread answers messages and hands out batches at least this often while it tokenises. */
const SLICE_MS = 3;

/** Texts of one run that go on to the sessions together: a batch's choice among them, and no long wait for the rest. */
const ROWS_MAX = 512;

export interface TokenisingOptions {
  readonly tokenise: Tokeniser;
  /** Rows `from` on of the part are tokenised. */
  readonly onTokenised: (part: RunPart, from: number, texts: readonly TokenisedText[]) => void;
  readonly onFailed: (run: number, reason: string) => void;
}

export interface Tokenising {
  add(part: RunPart): void;
  cancel(run: number): void;
}

/** Tokenises runs in slices, interactive ones first, and gives the thread free between slices. */
export function createTokenising({ tokenise, onTokenised, onFailed }: TokenisingOptions): Tokenising {
  const waiting: Record<Priority, Progress[]> = { interactive: [], bulk: [] };
  let running = false;

  async function drain(): Promise<void> {
    if (running) return;
    running = true;
    for (;;) {
      const priority = waiting.interactive.length > 0 ? "interactive" : "bulk";
      const first = waiting[priority][0];
      if (first === undefined) break;
      if (step(first)) waiting[priority] = waiting[priority].filter((other) => other !== first);
      await new Promise((resolve) => setImmediate(resolve));
    }
    running = false;
  }

  /** One slice of a run; true when the run is done with. */
  function step(progress: Progress): boolean {
    const { part, texts } = progress;
    const endMs = performance.now() + SLICE_MS;
    try {
      do {
        texts.push(tokenise(part.texts[progress.from + texts.length] as Text));
      } while (!isFull(progress) && performance.now() < endMs);
    } catch (error) {
      // A text that the tokenizer cannot take costs its own run, not the process that others wait for.
      onFailed(part.run, `tokenising failed: ${(error as Error).message}`);
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
      waiting[part.priority].push({ part, from: 0, texts: [] });
      void drain();
    },
    cancel(run) {
      waiting.interactive = waiting.interactive.filter(({ part }) => part.run !== run);
      waiting.bulk = waiting.bulk.filter(({ part }) => part.run !== run);
    },
  };
}

interface Progress {
  readonly part: RunPart;
  /** Rows before it have gone on. */
  from: number;
  texts: TokenisedText[];
}

function isFull({ part, from, texts }: Progress): boolean {
  return texts.length === ROWS_MAX || from + texts.length === part.texts.length;
}
