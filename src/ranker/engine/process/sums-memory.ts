import { giveTurn } from "../../../observe/turns.js";
import { closeSharedSums, openSharedSums, type SharedSums } from "../session/shared-sums.js";
import type { SessionHandle } from "./session-handle.js";

/** Entries that are added up before the main thread handles its messages again: a millisecond. */
const SLICE = 2 ** 20;

/** The main thread's side of the sums that a session thread adds to. */
export interface SumsMemory {
  open(name: string): void;
  /** ‖sums‖. */
  norm(name: string): Promise<number>;
  /** Entries from `at` on, times `scale`, in float32. */
  read(name: string, at: number, length: number, scale: number): Float32Array;
  forget(name: string): void;
}

/** `count`: entries of a vector over the parameters of the gradient scope. */
export function createSumsMemory(thread: SessionHandle, count: number): SumsMemory {
  const open = new Map<string, SharedSums>();
  /**
   * Memory of closed sums, which new sums use again. If the garbage collectors of both threads had to free it, it would pile up.
   */
  const free: Float64Array<SharedArrayBuffer>[] = [];

  function find(name: string): SharedSums {
    const sums = open.get(name);
    if (sums === undefined) throw new Error(`no sums are named ${name}`);
    return sums;
  }

  return {
    open(name) {
      const sums = openSharedSums(count, free.pop());
      open.set(name, sums);
      thread.keepSums(name, sums);
    },
    async norm(name) {
      const { values } = find(name);
      let squares = 0;
      for (let from = 0; from < count; from += SLICE) {
        const to = Math.min(count, from + SLICE);
        for (let i = from; i < to; i++) squares += (values[i] as number) ** 2;
        await giveTurn();
      }
      return Math.sqrt(squares);
    },
    read(name, at, length, scale) {
      const part = find(name).values.subarray(at, at + length);
      const scaled = new Float32Array(part.length);
      for (let i = 0; i < part.length; i++) scaled[i] = (part[i] as number) * scale;
      return scaled;
    },
    forget(name) {
      free.push(closeSharedSums(find(name)));
      open.delete(name);
      thread.forgetSums(name);
    },
  };
}
