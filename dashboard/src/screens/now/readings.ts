import { type Labels, type Metrics, total } from "../../api/prometheus.js";

/** The metrics at one moment. */
export interface Reading {
  readonly atMs: number;
  readonly metrics: Metrics;
}

/** Readings of the last two minutes are kept. */
const KEPT_MS = 120_000;

/** Adds a reading and drops those that are too old, and all earlier ones if the service began anew, which shows in its counts. */
export function keepLatest(readings: readonly Reading[], newest: Reading): readonly Reading[] {
  const last = readings.at(-1);
  if (last?.atMs === newest.atMs) return readings;
  const began = (reading: Reading): number => total(reading.metrics, "process_start_time_seconds");
  return [...readings, newest].filter(
    (reading) => newest.atMs - reading.atMs <= KEPT_MS && began(reading) === began(newest),
  );
}

/** How much a counter grew a second between two readings; null if they are of one moment. */
export function rateOf(before: Reading, after: Reading, name: string, labels: Labels = {}): number | null {
  const seconds = (after.atMs - before.atMs) / 1000;
  if (seconds <= 0) return null;
  return (total(after.metrics, name, labels) - total(before.metrics, name, labels)) / seconds;
}
