import { expect, it } from "vitest";
import { newSamples, type Reply, score } from "../support/load.js";
import { type Service, startService } from "../support/service.js";

/** Sum of a histogram over the score route, in milliseconds. */
async function sumMs({ url }: Service, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith(`${name}_sum{`) && line.includes('"/v1/score"'));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0) * 1000;
}

function totalMs({ headers }: Reply): number {
  return Number(/total;dur=([\d.]+)/.exec(headers.get("server-timing") as string)?.[1]);
}

it("attributes the time of cold, cached, small and concurrent requests on the real engine, and the metrics agree", async () => {
  const service = await startService();
  const replies: Reply[] = [];
  const bulk = newSamples(150);
  for (const samples of [newSamples(1), newSamples(30), bulk, bulk, newSamples(1)]) {
    replies.push(await score(service, samples));
  }
  replies.push(...(await Promise.all([60, 1, 120, 1].map((count) => score(service, newSamples(count))))));

  let attributedMs = 0;
  for (const reply of replies) {
    expect(reply.status).toBe(200);
    attributedMs += totalMs(reply);
  }
  const [requestMs, stagesMs] = [
    await sumMs(service, "assay_request_seconds"),
    await sumMs(service, "assay_stage_seconds"),
  ];
  expect(Math.abs(requestMs - stagesMs)).toBeLessThan(Math.max(0.1 * requestMs, replies.length));
  // The metrics have the stage `send` besides.
  expect(stagesMs - attributedMs).toBeGreaterThan(-1);
  expect(stagesMs - attributedMs).toBeLessThan(Math.max(0.1 * stagesMs, replies.length));
});
