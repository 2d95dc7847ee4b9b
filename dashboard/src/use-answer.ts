import { useCallback, useEffect, useState } from "preact/hooks";
import type { Client } from "./api/client.js";
import { useClient } from "./session.js";

/** What a screen has of an answer that it asked for. `value` stays while a newer answer is on its way, and when that fails. */
export interface Answer<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
  /** True once the service has taken longer than `SLOW_MS`. */
  readonly isSlow: boolean;
  readonly again: () => void;
}

export const SLOW_MS = 1500;

/**
 * Asks when the component appears and whenever `about` changes; `about` is a text that names all that the question depends on. With `everyMs`
 * it asks again after each answer, except while the page is hidden.
 */
export function useAnswer<T>(
  about: string,
  ask: (client: Client, signal: AbortSignal) => Promise<T>,
  everyMs?: number,
): Answer<T> {
  const client = useClient();
  const [state, setState] = useState<Omit<Answer<T>, "again"> & { about: string }>(begun(about));
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((before) => before + 1), []);

  // `ask` is not among what the effect depends on, because it is new at each rendering; `about` says when it differs
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    setState((before) => (before.about === about ? { ...before, isLoading: true } : begun(about)));
    const slow = setTimeout(() => setState((before) => ({ ...before, isSlow: true })), SLOW_MS);
    let next: ReturnType<typeof setTimeout> | undefined;
    const settle = (part: Partial<Answer<T>>): void => {
      clearTimeout(slow);
      if (signal.aborted) return;
      setState((before) => ({ ...before, ...part, isLoading: false, isSlow: false }));
      if (everyMs !== undefined) next = setTimeout(whenVisible, everyMs);
    };
    const whenVisible = (): void => {
      if (document.hidden) document.addEventListener("visibilitychange", again, { once: true, signal });
      else again();
    };
    ask(client, signal).then(
      (value) => settle({ value, error: null }),
      (error: unknown) => settle({ error: error instanceof Error ? error : new Error(String(error)) }),
    );
    return () => {
      ending.abort();
      clearTimeout(slow);
      clearTimeout(next);
    };
  }, [about, client, turn, everyMs]);

  return state.about === about ? { ...state, again } : { ...begun<T>(about), again };
}

function begun<T>(about: string): Omit<Answer<T>, "again"> & { about: string } {
  return { about, value: null, error: null, isLoading: true, isSlow: false };
}
