import type { FastifyInstance } from "fastify";
import { composeApp, openPorts, type Ports } from "./compose.js";
import { type Config, checkBind } from "./config.js";
import { AssayError, messageOf } from "./errors.js";

/**
 * Serves until SIGTERM or SIGINT: config → compose → listen → close. Running requests have `closeTimeoutMs` to finish. The
 * process exits with 0 if they finish in that time, and with 1 if they do not. A second signal ends the process at once. Throws
 * `config_invalid` if the service cannot listen on the address.
 */
export async function serve(config: Config): Promise<void> {
  checkBind(config);
  const opened: { close(): PromiseLike<unknown> }[] = [];
  async function closeAll(): Promise<void> {
    for (const part of opened.splice(0).reverse()) await part.close();
  }
  // This comes first, because process 1 of a container ignores signals that it has no handler for.
  endOnSignal(closeAll, config.closeTimeoutMs);
  try {
    const ports = await openPorts(config);
    opened.push(ports);
    const app = await composeApp(config, ports);
    opened.push(app);
    const url = await listen(app, config);
    process.stdout.write(`Assay listens on ${url}, docs at ${url}/docs\n`);
    void announceReady(ports, url, config.apiKeys.length > 0);
    void reportStore(ports);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function endOnSignal(closeAll: () => Promise<void>, closeTimeoutMs: number): void {
  let closing = false;
  async function end(signal: string): Promise<void> {
    if (closing) process.exit(1);
    closing = true;
    process.stdout.write(`Assay closes on ${signal}\n`);
    setTimeout(() => {
      process.stderr.write(
        `assay: running requests did not finish within ${closeTimeoutMs} ms (ASSAY_CLOSE_TIMEOUT_MS)\n`,
      );
      process.exit(1);
    }, closeTimeoutMs).unref();
    await closeAll();
    process.exit(0);
  }
  process.on("SIGTERM", (signal) => void end(signal));
  process.on("SIGINT", (signal) => void end(signal));
}

/** Listens. Answers the URL under which this machine reaches the service. */
async function listen(app: FastifyInstance, { host, port }: Config): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw new AssayError("config_invalid", {
      detail: `Cannot listen on ${host}, port ${port}: ${messageOf(cause)}`,
      cause,
    });
  }
  const [address] = app.addresses();
  const bound = typeof address === "object" ? address.port : port;
  const reached = { "0.0.0.0": "127.0.0.1", "::": "::1" }[host] ?? host;
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${bound}`;
}

/** Prints how to score a first sample once the default model is ready. If the model fails, the log says why. */
async function announceReady({ rankers }: Ports, url: string, needsKey: boolean): Promise<void> {
  if (rankers.defaultName === null) return;
  const ranker = rankers.get(rankers.defaultName);
  if ((await ranker.settled()).status !== "ready") return;
  const key = needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  const sample = `{"id":"q1:p9","query":"usb c cable","document":"USB-C charging cable, 2 m","label":1}`;
  process.stdout.write(
    `Model ${ranker.model.name}@${ranker.model.version} is ready. Try:\n` +
      `curl -s ${url}/v1/score${key} -H 'content-type: application/json' -d '{"samples":[${sample}]}'\n`,
  );
}

/** Logs the store's status, which tells how durable an acknowledged write is, or logs that the store does not answer yet. */
async function reportStore({ store, logger }: Ports): Promise<void> {
  try {
    logger.info(await store.status(), "store answers");
  } catch (error) {
    logger.error({ err: error }, "store does not answer; requests with a dataset get 503 until it does");
  }
}
