/** The entries of a map that were used last. */
export interface Recent<V> {
  get(key: string): V | undefined;
  /** Keeps the entry, and forgets those that were used longest ago while all together weigh too much. */
  set(key: string, value: V): void;
  delete(key: string): void;
}

/**
 * @param weightMax most weight of all entries but the newest
 * @param weightOf weight of a value when it is set
 */
export function openRecent<V>(weightMax: number, weightOf: (value: V) => number): Recent<V> {
  // In the order of use.
  const entries = new Map<string, { readonly value: V; readonly weight: number }>();
  let total = 0;

  function remove(key: string): void {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value) {
      remove(key);
      const weight = weightOf(value);
      entries.set(key, { value, weight });
      total += weight;
      for (const [oldest] of entries) {
        if (total <= weightMax || oldest === key) return;
        remove(oldest);
      }
    },
    delete: remove,
  };
}
