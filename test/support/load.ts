import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Json } from "./post.js";
import type { Service } from "./service.js";

/** `npm run test:long`: the same tests for as long and as large as the issue that asked for them says. */
export const LONG = process.env.ASSAY_TEST_LONG === "1";

let texts = 0;

/** Samples with texts that no request before had, about 40 tokens each. */
export function newSamples(count: number): { id: string; query: string; document: string; label: number }[] {
  return Array.from({ length: count }, () => {
    texts += 1;
    return {
      id: `s${texts}`,
      query: `usb c cable ${texts}`,
      document: `USB-C charging cable no. ${texts}, braided nylon, two metres, for phones, tablets and laptops with fast charging`,
      label: texts % 2,
    };
  });
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
  readonly elapsedMs: number;
}

/** Posts samples to be scored, with the headers given. */
export async function score(
  { url }: Pick<Service, "url">,
  samples: readonly object[],
  { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Reply> {
  const startedAtMs = performance.now();
  const response = await fetch(`${url}/v1/score`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ samples }),
    ...(signal && { signal }),
  });
  const body = await response.json();
  return {
    status: response.status,
    headers: response.headers,
    body,
    elapsedMs: performance.now() - startedAtMs,
  };
}

/** One sample of a metric, 0 where it has not been seen yet. */
export async function metric({ url }: Pick<Service, "url">, line: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split("\n").find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? 0 : Number(found.slice(line.length));
}

/** Process ids of the service's engines. */
export function enginePids({ process: { pid } }: Pick<Service, "process">): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);
}

/** Memory of the service and its engines in MiB: proportional set size, so that shared pages count once. */
export function memoryMib(service: Pick<Service, "process">): number {
  const pids = [service.process.pid as number, ...enginePids(service)];
  const kib = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]),
  );
  return kib.reduce((sum, one) => sum + one, 0) / 1024;
}

/** Waits until the condition holds; throws after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
): Promise<void> {
  const endAtMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endAtMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(10);
  }
}

/**
 * The event loop of a process that does nothing, while `work` runs: what this machine costs any process at the time. Answers the
 * 99th percentile of its delay in seconds, by the clock and the resolution of the service's own metric.
 */
export async function idleLoopDelayP99(work: () => Promise<void>): Promise<number> {
  const idle = fork(new URL("idle-loop.mjs", import.meta.url));
  try {
    await once(idle, "message");
    await work();
    idle.send("end");
    const [delayNs] = (await once(idle, "message")) as [number];
    return delayNs / 1e9;
  } finally {
    idle.kill();
  }
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}
