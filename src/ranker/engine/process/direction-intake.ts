import type { DirectionChunk } from "../protocol.js";
import type { SessionHandle } from "./session-handle.js";

/** Puts vectors together from chunks and hands them to the session threads, which keep them until they are forgotten. */
export interface DirectionIntake {
  add(chunk: DirectionChunk): void;
  forget(digest: string): void;
}

/** `count`: entries of a vector. */
export function createDirectionIntake(threads: readonly SessionHandle[], count: number): DirectionIntake {
  const arriving = new Map<string, Float32Array<ArrayBuffer>>();
  return {
    add({ digest, at, bytes }) {
      const vector = at === 0 ? new Float32Array(count) : arriving.get(digest);
      if (vector === undefined) return;
      arriving.set(digest, vector);
      new Uint8Array(vector.buffer).set(bytes, at);
      if (at + bytes.length < vector.byteLength) return;
      arriving.delete(digest);
      // ONNX Runtime takes no shared memory, so each thread has a vector of its own; the last gets this one.
      threads.forEach((thread, index) => {
        thread.keepDirection(digest, index === threads.length - 1 ? vector : vector.slice());
      });
    },
    forget(digest) {
      arriving.delete(digest);
      for (const thread of threads) thread.forgetDirection(digest);
    },
  };
}
