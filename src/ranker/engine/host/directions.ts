import { AssayError } from "../../../errors.js";
import type { DirectionVector } from "../../port.js";
import type { EngineChild } from "./child.js";

/** Most vectors that an engine process keeps. Each takes as much memory as the weights in float32. */
const VECTORS_MAX = 2;

/**
 * The directions that an engine process has. A run holds its direction until it ends. The least recently used that no run holds
 * is evicted.
 */
export interface Directions {
  /**
   * Resolves to true when the process has the vector; reads and sends it if needed. If all places are held, runs wait in the
   * order in which they asked. Resolves to false if the run has released its direction in the meantime. Rejects with the error of
   * reading.
   */
  hold(run: number, direction: DirectionVector): Promise<boolean>;
  release(run: number): void;
  /** The process has ended, so its vectors are gone. */
  lost(): void;
}

interface Place {
  readonly direction: DirectionVector;
  readonly holders: Set<number>;
  /** Resolves when the present process has the vector; null if sending has not begun. */
  pushed: Promise<void> | null;
}

interface Waiting {
  readonly run: number;
  readonly direction: DirectionVector;
  readonly resolve: (place: Place | null) => void;
}

/** `bytes`: size of a vector. */
export function createDirections(child: () => EngineChild, bytes: number): Directions {
  /** By digest, the least recently used first. */
  const places = new Map<string, Place>();
  let waiting: Waiting[] = [];

  function claim(run: number, direction: DirectionVector): Place | null {
    const { digest } = direction;
    const known = places.get(digest);
    if (known === undefined && places.size === VECTORS_MAX && !evictOne()) return null;
    const place = known ?? { direction, holders: new Set(), pushed: null };
    place.holders.add(run);
    places.delete(digest);
    places.set(digest, place);
    return place;
  }

  function evictOne(): boolean {
    for (const [digest, { holders }] of places) {
      if (holders.size > 0) continue;
      places.delete(digest);
      child().tell({ type: "forget_direction", digest });
      return true;
    }
    return false;
  }

  async function placeFor(run: number, direction: DirectionVector): Promise<Place | null> {
    const held = places.get(direction.digest);
    if (held?.holders.has(run)) return held;
    // Runs wait in the order in which they came, so that a direction in steady use does not keep the others out.
    const claimed = waiting.length === 0 ? claim(run, direction) : null;
    return claimed ?? new Promise((resolve) => waiting.push({ run, direction, resolve }));
  }

  async function push(direction: DirectionVector): Promise<void> {
    const to = child();
    const { digest } = direction;
    let at = 0;
    for await (const chunk of direction.read()) {
      if (at + chunk.length > bytes) throw wrongSize(digest, bytes);
      await to.push({ type: "direction", digest, at, bytes: chunk });
      at += chunk.length;
    }
    if (at < bytes) throw wrongSize(digest, bytes);
  }

  return {
    async hold(run, direction) {
      const place = await placeFor(run, direction);
      if (place === null) return false;
      const pushed = place.pushed ?? push(place.direction);
      place.pushed = pushed;
      try {
        await pushed;
      } catch (error) {
        if (place.pushed === pushed) place.pushed = null;
        throw error;
      }
      return place.holders.has(run);
    },
    release(run) {
      for (const { holders } of places.values()) holders.delete(run);
      for (const entry of waiting) if (entry.run === run) entry.resolve(null);
      waiting = waiting.filter((entry) => entry.run !== run);
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const place = claim(next.run, next.direction);
        if (place === null) return;
        waiting.shift();
        next.resolve(place);
      }
    },
    lost() {
      for (const [digest, place] of places) {
        place.pushed = null;
        if (place.holders.size === 0) places.delete(digest);
      }
    },
  };
}

function wrongSize(digest: string, bytes: number): AssayError {
  return new AssayError("internal", { detail: `The direction ${digest} does not have ${bytes} bytes` });
}
