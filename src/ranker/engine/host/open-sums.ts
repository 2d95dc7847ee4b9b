import { AssayError } from "../../../errors.js";
import type { ToEngine } from "../protocol.js";

/** Most sums of gradients that are open at once in an engine process. Each takes twice the memory of the weights in float32. */
const OPEN_MAX = 2;

/** The service's side of the sums in an engine process. */
export interface OpenSums {
  /** A name for new sums. Throws `overloaded` if too many are open. The process makes them when `begin` is called. */
  open(): string;
  /** Throws `accumulation_lost` if the sums are gone. */
  check(name: string): void;
  /** Call this before an addition is sent. */
  begin(name: string): void;
  norm(name: string): Promise<number>;
  /** Entries from `at` on, times `scale`. */
  read(name: string, at: number, length: number, scale: number): Promise<Float32Array>;
  /** Releases sums. Any later use throws an error with the reason `why`. */
  close(name: string, why: string): void;
  receive(answer: { readonly ask: number; readonly value: number | Float32Array }): void;
  /** The process has ended. Answers the names of the sums that were lost with it. */
  lost(reason: string): string[];
}

interface Ask {
  readonly name: string;
  readonly resolve: (value: number | Float32Array) => void;
  readonly reject: (error: AssayError) => void;
}

export function createOpenSums(tell: (message: ToEngine) => void): OpenSums {
  /** The open sums, and whether the process has them. */
  const open = new Map<string, { begun: boolean }>();
  const gone = new Map<string, string>();
  const asks = new Map<number, Ask>();
  let nextName = 1;
  let nextAsk = 1;

  function find(name: string): { begun: boolean } {
    const sums = open.get(name);
    if (sums === undefined) throw accumulationLost(gone.get(name) ?? "they were released");
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
          detail: `${OPEN_MAX} directions are being made already: send the request again when one of them is done`,
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

/** For this many sums that are gone, the reason is remembered. */
const GONE_MAX = 100;

export function accumulationLost(why: string): AssayError {
  return new AssayError("accumulation_lost", {
    detail: `The sums of gradients were lost: ${why}; send the samples again`,
  });
}
