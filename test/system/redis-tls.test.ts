import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { makeCertificates, tlsArguments } from "../support/certificates.js";
import { freePort, hasRedisServer, startRedis } from "../support/redis.js";

/** Opens the compiled store in a process of its own, for a process reads NODE_EXTRA_CA_CERTS as it starts, and prints its status. */
const SCRIPT = `
const { openRedisStore } = await import(process.argv[1]);
const store = openRedisStore({ url: process.argv[2], timeoutMs: 5000 });
try {
  await store.tried();
  console.log((await store.status()).durability);
} catch (error) {
  console.log(error.code + ": " + error.message);
}
await store.close();
`;
const STORE = new URL("../../dist/store/redis/store.js", import.meta.url).href;

describe.skipIf(!hasRedisServer())("Redis over TLS (skipped without redis-server)", () => {
  async function redisWithTls() {
    const port = await freePort();
    const certificates = makeCertificates(temporaryFolder());
    const both = ["--bind", "127.0.0.1", "127.0.0.2"];
    const redis = await startRedis([...tlsArguments(port, certificates), ...both]);
    onTestFinished(() => redis.remove());
    return { redis, port, certificates };
  }

  async function statusOf(url: string, authority?: string): Promise<string> {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", SCRIPT, STORE, url],
      { env: { ...process.env, ...(authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority }) } },
    );
    expect(stderr).toBe("");
    return stdout.trim();
  }

  it("is reached by name and by address, with the authority that NODE_EXTRA_CA_CERTS names", async () => {
    const { port, certificates } = await redisWithTls();
    for (const host of ["localhost", "127.0.0.1"]) {
      expect(await statusOf(`rediss://${host}:${port}`, certificates.authority)).toMatch(
        /^Acknowledged writes/,
      );
    }
  });

  it("says what is wrong with a certificate, or where there is no TLS", async () => {
    const { redis, port, certificates } = await redisWithTls();
    expect(await statusOf(`rediss://127.0.0.1:${port}`)).toMatch(/not trusted: set NODE_EXTRA_CA_CERTS/);
    expect(await statusOf(`rediss://127.0.0.2:${port}`, certificates.authority)).toMatch(/for another host/);
    expect(await statusOf(`rediss://127.0.0.1:${redis.port}`)).toMatch(/^store_unavailable: /);
    expect(await statusOf(`redis://127.0.0.1:${port}`)).toMatch(/^store_unavailable: /);
  });
});
