import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { copiesOfShipped } from "../support/model.js";
import { codeOf, exchange, openSocket } from "../support/raw.js";
import { type Service, startService } from "../support/service.js";

const KEYS = { ASSAY_API_KEYS: "a-key-that-nobody-has" };

function portOf({ url }: Service): number {
  return Number(new URL(url).port);
}

/** The most memory that the process has had so far. */
function peakBytes({ process: { pid } }: Service): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Writes without reading an answer until the connection ends or `timeoutMs` are over. */
async function flood(socket: Socket, bytes: Buffer, timeoutMs: number): Promise<void> {
  socket.pause();
  socket.write(bytes);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([closed, delay(timeoutMs)]);
}

describe("clients without a key that read nothing", () => {
  it("cost a bounded amount of memory, however many requests they send at once to whatever route", async () => {
    const service = await startService({ env: KEYS });
    const before = peakBytes(service);
    for (const path of [
      "/openapi.json",
      "/docs/static/swagger-ui-bundle.js",
      "/docs/",
      "/v1/models",
      "/readyz",
    ]) {
      const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(20_000));
      const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(portOf(service))));
      await Promise.all(sockets.map((socket) => flood(socket, bytes, 2000)));
      for (const socket of sockets) socket.destroy();
    }
    // Answers that nobody reads may hold 256 MiB in all (SECURITY.md).
    expect(peakBytes(service) - before).toBeLessThan(400 * 2 ** 20);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  });

  it("cost as little with bodies that nobody takes", async () => {
    const service = await startService({ env: KEYS });
    const before = peakBytes(service);
    const head = `POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${15 * 2 ** 20}\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(14 * 2 ** 20, " ")]);
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(portOf(service))));
    await Promise.all(sockets.map((socket) => flood(socket, bytes, 3000)));
    expect(peakBytes(service) - before).toBeLessThan(150 * 2 ** 20);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  });
});

describe("clients that may send", () => {
  it("cost at most a few times the bytes of bodies that the setting allows", async () => {
    const service = await startService({ env: { ASSAY_BODIES_BYTES_MAX: String(64 * 2 ** 20) } });
    const before = peakBytes(service);
    const length = 15 * 2 ** 20;
    const head = `POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
    // One byte is missing: every body would be held until it comes.
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(length - 1, " ")]);
    const sockets = await Promise.all(Array.from({ length: 30 }, () => openSocket(portOf(service))));
    await Promise.all(sockets.map((socket) => flood(socket, bytes, 5000)));
    expect(peakBytes(service) - before).toBeLessThan(250 * 2 ** 20);
    const refused = await exchange(
      portOf(service),
      `${bytes.toString("latin1").replace("\r\n", "\r\nconnection: close\r\n")} `,
    );
    expect(refused).toMatch(/^HTTP\/1\.1 429 /);
    expect(codeOf(refused)).toBe("overloaded");
    expect((await fetch(`${service.url}/v1/models`)).status).toBe(200);
  });
});

describe("a head that does not come", () => {
  it("is answered 408, and its connection ends", async () => {
    const service = await startService({ until: "listening" });
    const answer = await exchange(portOf(service), "GET /healthz HTTP/1.1\r\nhost: local");
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(codeOf(answer)).toBe("invalid_request");
  });
});

describe("answers about model folders", () => {
  it("do not say where on the machine they are, in whatever way they are broken", async () => {
    const models = copiesOfShipped("default", "graph", "weights");
    const dataDir = temporaryFolder();
    for (const [name, manifest] of [
      ["text", "not JSON"],
      ["list", "[]"],
    ] as const) {
      mkdirSync(join(models, name));
      writeFileSync(join(models, name, "model.json"), manifest);
    }
    mkdirSync(join(models, "folder", "model.json"), { recursive: true });
    writeFileSync(join(models, "graph", "forward.onnx"), "no graph");
    writeFileSync(join(models, "weights", "weights.bin"), "no weights");
    const service = await startService({ env: { ASSAY_MODELS_DIR: models }, dataDir });
    const requests = [
      "text",
      "list",
      "folder",
      "graph",
      "weights",
      "..",
      "../default",
      "absent",
      "a/b",
    ].flatMap((name) => {
      const path = `/v1/models/${encodeURIComponent(name).replaceAll(".", "%2e")}`;
      return [
        [path, "GET", undefined],
        [`${path}/reload`, "POST", undefined],
        [`${path}/weights`, "PUT", "no upload"],
        ["/v1/score", "POST", JSON.stringify({ model: name, samples: [{ text: "a" }] })],
      ] as const;
    });
    for (const [path, method, body] of requests) {
      const type = method === "PUT" ? "application/vnd.assay.weights" : "application/json";
      const response = await fetch(`${service.url}${path}`, {
        method,
        ...(body !== undefined && { body, headers: { "content-type": type } }),
      });
      const text = await response.text();
      expect({
        path,
        method,
        text: text.includes(models) || text.includes(dataDir) || /\/tmp\//.test(text),
      }).toEqual({
        path,
        method,
        text: false,
      });
    }
    for (const path of ["/v1/models", "/readyz"])
      expect(await (await fetch(`${service.url}${path}`)).text()).not.toContain(models);
  });
});
