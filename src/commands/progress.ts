import type { WriteStream } from "node:tty";

/** Shows the progress of a command on standard error. */
export interface Progress {
  /** @param done number of samples or bytes so far */
  update(done: number): void;
  /** Starts to count from 0 again. @param total number of samples; null if it is unknown @param unit what is counted */
  begin(what: string, total: number | null, unit?: "samples" | "bytes"): void;
  stop(): void;
}

const TERMINAL_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 5000;
const COLUMNS = 80;
const BAR_COLUMNS_MAX = 30;

/**
 * On a terminal it draws a bar and updates it in place. Elsewhere, as in a log, it writes a line every few seconds, and none for
 * a short command.
 */
export function createProgress(stream: Pick<WriteStream, "isTTY" | "columns" | "write">): Progress {
  const isTerminal = stream.isTTY;
  const intervalMs = isTerminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS;
  let state = {
    what: "",
    total: null as number | null,
    unit: "samples",
    done: 0,
    beganAtMs: performance.now(),
  };
  let drawnAtMs = performance.now();
  let isDrawn = false;

  function draw(): void {
    drawnAtMs = performance.now();
    const elapsedS = (drawnAtMs - state.beganAtMs) / 1000;
    if (isTerminal) {
      stream.write(`\r${progressLine({ ...state, elapsedS }, (stream.columns || COLUMNS) - 1)}\x1b[K`);
    } else {
      stream.write(`${progressLine({ ...state, elapsedS }, 0)}\n`);
    }
    isDrawn = true;
  }

  return {
    begin(what, total, unit = "samples") {
      state = { what, total, unit, done: 0, beganAtMs: performance.now() };
      drawnAtMs = state.beganAtMs;
    },
    update(done) {
      state.done = done;
      if (performance.now() - drawnAtMs >= intervalMs) draw();
    },
    stop() {
      if (!isTerminal || !isDrawn) return;
      draw();
      stream.write("\n");
    },
  };
}

/** Shows nothing. */
export const NO_PROGRESS: Progress = {
  begin: () => undefined,
  update: () => undefined,
  stop: () => undefined,
};

export interface ProgressState {
  readonly what: string;
  readonly total: number | null;
  /** Samples by default. */
  readonly unit?: string;
  readonly done: number;
  readonly elapsedS: number;
}

/** The state in one line of at most `columns` characters, with a bar if there is room for it. 0: any length, without a bar. */
export function progressLine(
  { what, total, unit = "samples", done, elapsedS }: ProgressState,
  columns: number,
): string {
  const rate = elapsedS > 0 ? done / elapsedS : 0;
  const speed = rate >= 10 ? `${count(Math.round(rate))}/s` : `${rate.toFixed(1)}/s`;
  if (total === null || total === 0) return cut(`${what}${count(done)} ${unit}, ${speed}`, columns);
  const left = done === 0 ? "" : `, ${duration(((total - done) * elapsedS) / done)} left`;
  const text = `${what}${count(done)} of ${count(total)} ${unit}, ${speed}${left}`;
  const percent = `${Math.floor((100 * done) / total)}%`.padStart(4);
  const bar = Math.min(BAR_COLUMNS_MAX, columns - text.length - percent.length - 4);
  if (bar < 5) return cut(`${percent} ${text}`, columns);
  const full = Math.round((bar * done) / total);
  return `${percent} [${"#".repeat(full)}${".".repeat(bar - full)}] ${text}`;
}

function cut(text: string, columns: number): string {
  return columns > 0 ? text.slice(0, columns) : text;
}

function count(value: number): string {
  return value.toLocaleString("en-GB");
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
