import type { DirectionChunk } from "../protocol.js";
import type { SessionHandle } from "./session-handle.js";

/** Assembles vectors from chunks and passes them to the session thread that uses them, which keeps them until `forget`. */
export interface DirectionIntake {
  add(chunk: DirectionChunk): void;
  forget(digest: string): void;
}

/** `count`: entries of a vector. */
export function createDirectionIntake(thread: SessionHandle, count: number): DirectionIntake {
  const arriving = new Map<string, Float32Array<ArrayBuffer>>();
  return {
    add({ digest, at, bytes }) {
      const vector = at === 0 ? new Float32Array(count) : arriving.get(digest);
      if (vector === undefined) return;
      arriving.set(digest, vector);
      new Uint8Array(vector.buffer).set(bytes, at);
      if (at + bytes.length < vector.byteLength) return;
      arriving.delete(digest);
      thread.keepDirection(digest, vector);
    },
    forget(digest) {
      arriving.delete(digest);
      thread.forgetDirection(digest);
    },
  };
}
