import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Caller } from "../../src/ranker/port.js";
import { TEST_LIMITS, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";
import { codeOf, exchange, listeningPort, openSocket } from "../support/raw.js";

const sample = { query: "usb c cable", document: "USB-C charging cable", label: 1 };

function headOf(method: string, path: string, type: string, length: number): string {
  return `${method} ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;
}

/** Lets the timers of the service run ahead; those inside Node go on as they are. */
function fastForward(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], shouldAdvanceTime: true, advanceTimeDelta: 20 });
  const ahead = setInterval(() => vi.advanceTimersByTime(2000), 20);
  onTestFinished(() => {
    clearInterval(ahead);
    vi.useRealTimers();
  });
}

describe("a body that falls silent", () => {
  it.each([
    ["JSON", "POST", "/v1/score", "application/json"],
    ["JSON lines", "PUT", "/v1/directions/v?kind=loss_gradient", "application/x-ndjson"],
    ["JSON for a path that nothing answers", "POST", "/v1/nowhere", "application/json"],
  ])("is answered 408, and its connection ends: %s", async (_about, method, path, type) => {
    const port = await listeningPort(await testApp());
    fastForward();
    const answer = await exchange(port, `${headOf(method, path, type, 100)}{`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(answer).toMatch(/connection: close/i);
    expect(codeOf(answer)).toBe("body_timeout");
  });

  it("is answered 408 also where a byte comes now and then", async () => {
    const port = await listeningPort(await testApp());
    const socket = await openSocket(port);
    socket.write(headOf("POST", "/v1/score", "application/json", 100_000));
    fastForward();
    const drip = setInterval(() => socket.write(" "), 20);
    onTestFinished(() => clearInterval(drip));
    const [answer] = await once(socket.setEncoding("latin1"), "data");
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain("not complete within 300 s");
  });
});

describe("a body that is too large by its own word", () => {
  it("is answered 413 once nothing comes of it for five seconds, also where its connection ends with that", async () => {
    const port = await listeningPort(await testApp());
    const socket = await openSocket(port);
    const head = headOf("POST", "/v1/score", "application/json", 99_999_999_999);
    socket.write(`${head.slice(0, -2)}connection: close\r\n\r\n{`);
    const startedAtMs = performance.now();
    const [answer] = await once(socket.setEncoding("latin1"), "data");
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    // Not half a minute, which the rest of a body may take that comes.
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  });
});

describe("the bytes of all bodies", () => {
  const limits = { ...TEST_LIMITS, bodiesBytesMax: 2 ** 20 };

  it("that are held at once are bounded: 429 with Retry-After, until others have been answered", async () => {
    const port = await listeningPort(await testApp({ limits }));
    const half = 600_000;
    const holding = headOf("POST", "/v1/score", "application/json", half) + " ".repeat(half);
    const second = () => exchange(port, holding.replace("\r\n", "\r\nconnection: close\r\n"));
    let refused = "";
    while (!refused.startsWith("HTTP/1.1 429 ")) {
      // Its last byte never comes. If it comes while a second one is held, it is refused itself, and another takes its place.
      const first = await openSocket(port);
      let isAnswered = false;
      first.once("data", () => {
        isAnswered = true;
      });
      first.write(headOf("POST", "/v1/score", "application/json", half + 1) + " ".repeat(half));
      while (!isAnswered && !refused.startsWith("HTTP/1.1 429 ")) {
        refused = await second();
        expect(refused).toMatch(/^HTTP\/1\.1 (400|429) /); // 400: the first has not come yet
      }
      first.destroy();
    }
    expect(refused).toMatch(/^retry-after: 1\r$/m);
    expect(codeOf(refused)).toBe("overloaded");
    while (!(await second()).includes(" 400 "));
  });

  it("are those of requests under way: answered ones count no more", async () => {
    const app = await testApp({ limits });
    const payload = { samples: [{ ...sample, document: "long ".repeat(1500) }] };
    const lines = `${JSON.stringify(sample)}\n`.repeat(2000);
    for (let i = 0; i < 150; i++) {
      expect((await postScore(app, payload)).statusCode).toBe(200);
    }
    for (let i = 0; i < 8; i++) {
      const response = await app.inject({
        method: "PUT",
        url: "/v1/directions/v?kind=loss_gradient",
        headers: { "content-type": "application/x-ndjson" },
        payload: lines,
      });
      expect(response.body).not.toContain("overloaded");
    }
  });

  it("leave a way for one that is larger than all may be together", async () => {
    const app = await testApp({ limits: { ...TEST_LIMITS, bodiesBytesMax: 1024 } });
    const payload = { samples: [{ ...sample, document: "long ".repeat(1000) }] };
    expect((await postScore(app, payload)).statusCode).toBe(200);
  });
});

describe("a refusal of a long body", () => {
  it("reaches a client that keeps its connection and sends all before it reads", async () => {
    const port = await listeningPort(await testApp());
    const long = Buffer.alloc(48 * 2 ** 20, " ");
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest({
        port,
        host: "127.0.0.1",
        method: "POST",
        path: "/v1/score",
        headers: {
          "content-type": "application/json",
          "content-length": long.length,
          connection: "keep-alive",
        },
      });
      request.on("error", reject);
      request.on("response", (response) => resolve(response.resume().statusCode));
      request.end(long);
    });
    expect(status).toBe(413);
  });

  it("says so of one without a length, too", async () => {
    const app = await testApp();
    await app.listen({ host: "127.0.0.1", port: 0 });
    const port = (app.server.address() as { port: number }).port;
    const chunk = `${(2 ** 20).toString(16)}\r\n${" ".repeat(2 ** 20)}\r\n`;
    const answer = await exchange(
      port,
      `POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(4)}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe("a connection", () => {
  it("ends when more requests than 32 are under way, and their work with it", async () => {
    const signals: AbortSignal[] = [];
    const ranker = {
      ...fakeRanker(),
      run: (_texts: unknown, _want: unknown, { signal }: Caller) => {
        signals.push(signal);
        return new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      },
    };
    const port = await listeningPort(await testApp({ rankers: fakeRankers(ranker) }));
    const body = JSON.stringify({ samples: [sample] });
    const one = headOf("POST", "/v1/score", "application/json", Buffer.byteLength(body)) + body;
    const socket = await openSocket(port);
    socket.resume().write(one.repeat(32));
    while (signals.length < 32) await delay(10);
    expect(signals.some(({ aborted }) => aborted)).toBe(false);
    socket.write(one);
    await once(socket, "close");
    while (!signals.every(({ aborted }) => aborted)) await delay(10);
  });

  it("answers 32 requests that come at once, in their order", async () => {
    const port = await listeningPort(await testApp());
    const paths = Array.from({ length: 32 }, (_, index) => `/v1/datasets/n${index}`);
    const answer = await exchange(
      port,
      paths
        .map(
          (path, index) =>
            `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${index === 31 ? "connection: close\r\n" : ""}\r\n`,
        )
        .join(""),
    );
    const named = [...answer.matchAll(/No dataset is named \\"(n\d+)/g)].map(
      ([, name]) => `/v1/datasets/${name}`,
    );
    expect(named).toEqual(paths);
  });
});
