import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { enginePids, LONG, metric, newSamples, type Reply, score, until } from "../support/load.js";
import { startService } from "../support/service.js";

const KILLS = LONG ? 20 : 2;

it("costs no client an error when the engine process is killed under load, and says so", async () => {
  const service = await startService();
  const replies: Reply[] = [];
  let loading = true;
  const sent: { id: string }[][] = [];
  const clients = Array.from({ length: 4 }, async () => {
    while (loading) {
      const samples = newSamples(25);
      sent.push(samples);
      replies.push(await score(service, samples));
    }
  });
  for (let kill = 0; kill < KILLS; kill++) {
    await delay(700);
    const [engine] = enginePids(service);
    process.kill(engine as number, "SIGKILL");
    await until(async () => (await fetch(`${service.url}/readyz`)).status === 503, "readiness says so");
    await until(async () => (await fetch(`${service.url}/readyz`)).status === 200, "readiness comes back");
    expect(enginePids(service)).not.toContain(engine);
  }
  await delay(500);
  loading = false;
  await Promise.all(clients);

  expect(replies.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  expect(await metric(service, 'assay_engine_deaths_total{model="default"}')).toBe(KILLS);
  expect(service.output()).toMatch(/engine process ended \(SIGKILL\)/);
  expect(await metric(service, 'assay_queue_tokens{model="default"}')).toBe(0);

  // What was run again answers as what was not.
  const [samples] = sent as [object[]];
  const again = await startService();
  const reference = await score(again, samples);
  const [first] = replies.filter(({ body }) => body.results[0].id === (samples[0] as { id: string }).id);
  reference.body.results.forEach(({ logit }: { logit: number }, index: number) => {
    expect(Math.abs(first?.body.results[index].logit - logit)).toBeLessThan(1e-4);
  });
});
