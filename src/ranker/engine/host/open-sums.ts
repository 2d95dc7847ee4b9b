import { AssayError } from "../../../errors.js";
import type { ToEngine } from "../protocol.js";

/** Sums of gradients that are open at once in an engine process: each takes twice the memory of the weights in float32. */
const OPEN_MAX = 2;

/** The service's end of the sums of an engine process. */
export interface OpenSums {
  /** A name for new sums; throws `overloaded` while too many are open. The process hears of them when they are first added to. */
  open(): string;
  /** Throws where the sums are gone. */
  check(name: string): void;
  /** To be called before an addition is sent. */
  begin(name: string): void;
  norm(name: string): Promise<number>;
  /** Entries from `at` on, times `scale`. */
  read(name: string, at: number, length: number, scale: number): Promise<Float32Array>;
  /** Lets go of sums; who uses them after that hears `why`. */
  close(name: string, why: string): void;
  receive(answer: { readonly ask: number; readonly value: number | Float32Array }): void;
  /** The process ended. Answers the names of the sums that ended with it. */
  lost(reason: string): string[];
}

interface Ask {
  readonly name: string;
  readonly resolve: (value: number | Float32Array) => void;
  readonly reject: (error: AssayError) => void;
}

export function createOpenSums(tell: (message: ToEngine) => void): OpenSums {
  /** The sums that are open, and whether the process has them. */
  const open = new Map<string, { begun: boolean }>();
  const gone = new Map<string, string>();
  const asks = new Map<number, Ask>();
  let nextName = 1;
  let nextAsk = 1;

  function find(name: string): { begun: boolean } {
    const sums = open.get(name);
    if (sums === undefined) throw accumulationLost(gone.get(name) ?? "they were let go");
    return sums;
  }

  function ask(name: string, message: (ask: number) => ToEngine): Promise<number | Float32Array> {
    return new Promise((resolve, reject) => {
      const number = nextAsk++;
      asks.set(number, { name, resolve, reject });
      tell(message(number));
    });
  }

  function end(name: string, why: string): void {
    open.delete(name);
    gone.set(name, why);
    if (gone.size > GONE_MAX) gone.delete(gone.keys().next().value as string);
    for (const [number, waiting] of asks) {
      if (waiting.name !== name) continue;
      asks.delete(number);
      waiting.reject(accumulationLost(why));
    }
  }

  return {
    open() {
      if (open.size >= OPEN_MAX) {
        throw new AssayError("overloaded", {
          detail: `${OPEN_MAX} directions are being made; the next begins when one of them is done`,
        });
      }
      const name = `${nextName++}`;
      open.set(name, { begun: false });
      return name;
    },
    check: (name) => void find(name),
    begin(name) {
      const sums = open.get(name);
      if (sums === undefined || sums.begun) return;
      sums.begun = true;
      tell({ type: "sums_open", name });
    },
    async norm(name) {
      if (!find(name).begun) return 0;
      return (await ask(name, (number) => ({ type: "sums_norm", name, ask: number }))) as number;
    },
    async read(name, at, length, scale) {
      if (!find(name).begun) return new Float32Array(length);
      return (await ask(name, (number) => ({
        type: "sums_read",
        name,
        ask: number,
        at,
        length,
        scale,
      }))) as Float32Array;
    },
    close(name, why) {
      const sums = open.get(name);
      if (sums === undefined) return;
      end(name, why);
      if (sums.begun) tell({ type: "sums_forget", name });
    },
    receive({ ask: number, value }) {
      asks.get(number)?.resolve(value);
      asks.delete(number);
    },
    lost(reason) {
      const names = [...open].filter(([, { begun }]) => begun).map(([name]) => name);
      for (const name of names) end(name, reason);
      return names;
    },
  };
}

/** Sums that are gone whose end is remembered. */
const GONE_MAX = 100;

export function accumulationLost(why: string): AssayError {
  return new AssayError("accumulation_lost", {
    detail: `The sums of gradients were lost: ${why}; send the samples again`,
  });
}
