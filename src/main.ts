import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { composeApp, openPorts, type Ports } from "./compose.js";
import type { Config } from "./config.js";

/**
 * Serves until SIGTERM or SIGINT: config → compose → listen → close. Requests under way finish within
 * `closeTimeoutMs`; the process exits 0 when they did, 1 when they did not. A second signal ends it at once.
 */
export async function serve(config: Config): Promise<void> {
  const ports = await openPorts(config);
  const app = await composeApp(config, ports);
  await app.listen({ host: config.host, port: config.port });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`;
  process.stdout.write(`Assay listens on ${url}, docs at ${url}/docs\n`);
  void announceReady(ports, url, config.apiKeys.length > 0);
  void reportStore(ports);

  let closing = false;
  async function close(signal: string): Promise<void> {
    if (closing) process.exit(1);
    closing = true;
    ports.logger.info({ signal }, "closing");
    const late = setTimeout(() => {
      ports.logger.error(
        { closeTimeoutMs: config.closeTimeoutMs },
        "requests under way did not finish in time",
      );
      process.exit(1);
    }, config.closeTimeoutMs);
    await app.close();
    await ports.close();
    clearTimeout(late);
    process.exit(0);
  }
  process.on("SIGTERM", (signal) => void close(signal));
  process.on("SIGINT", (signal) => void close(signal));
}

/** Says how to score a first sample, once that works. */
async function announceReady({ rankers }: Ports, url: string, needsKey: boolean): Promise<void> {
  const ranker = rankers.get(rankers.defaultName);
  while (ranker.state().status !== "ready") await delay(50);
  const key = needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  const sample = `{"id":"q1:p9","query":"usb c cable","document":"USB-C charging cable, 2 m","label":1}`;
  process.stdout.write(
    `Model ${ranker.model.name}@${ranker.model.version} is ready. Try:\n` +
      `curl -s ${url}/v1/score${key} -H 'content-type: application/json' -d '{"samples":[${sample}]}'\n`,
  );
}

/** Logs what an acknowledged write means, or that the store does not answer yet. */
async function reportStore({ store, logger }: Ports): Promise<void> {
  try {
    logger.info(await store.status(), "store answers");
  } catch (error) {
    logger.error({ err: error }, "store does not answer; requests with a dataset get 503 until it does");
  }
}
