import { describe, expect, it } from "vitest";
import { testApp } from "../support/app.js";
import { codeOf, exchange, listeningPort } from "../support/raw.js";

describe("a method that a path does not take", () => {
  it.each([
    ["DELETE", "/v1/models", "GET, HEAD, OPTIONS"],
    ["TRACE", "/v1/models", "GET, HEAD, OPTIONS"],
    ["PROPFIND", "/v1/models?a=/b", "GET, HEAD, OPTIONS"],
    // Node 20 knows it, and Fastify asks for its content type.
    ["QUERY", "/v1/score", "OPTIONS, POST"],
    ["GET", "/v1/score", "OPTIONS, POST"],
    ["PATCH", "/v1/datasets/caf%C3%A9", "DELETE, GET, HEAD, OPTIONS, PUT"],
    ["PUT", "/v1/datasets/d/samples/a%2Fb", "DELETE, GET, HEAD, OPTIONS"],
    ["POST", "/docs/static/index.css", "GET, HEAD, OPTIONS"],
    ["POST", "/healthz", "GET, HEAD, OPTIONS"],
  ])("%s %s is answered 405 with Allow", async (method, url, allow) => {
    const port = await listeningPort(await testApp());
    const answer = await exchange(
      port,
      `${method} ${url} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    expect(/^allow: (.*)\r$/m.exec(answer)?.[1]).toBe(allow);
    expect(codeOf(answer)).toBe("method_not_allowed");
  });

  it("is 404 where no route has the path", async () => {
    const app = await testApp();
    for (const url of ["/v1", "/v1/models/a/b/c", "/v1/scores", "/"]) {
      const response = await app.inject({ method: "POST", url });
      expect({ url, code: response.json().code }).toEqual({ url, code: "route_not_found" });
    }
  });
});

describe("OPTIONS and HEAD", () => {
  it("tell what a path takes, and all that any takes", async () => {
    const port = await listeningPort(await testApp());
    for (const [target, allow] of [
      ["/v1/score", "OPTIONS, POST"],
      ["*", "DELETE, GET, HEAD, OPTIONS, POST, PUT"],
    ]) {
      const answer = await exchange(
        port,
        `OPTIONS ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 204 /);
      expect(/^allow: (.*)\r$/m.exec(answer)?.[1]).toBe(allow);
    }
  });

  it("answers to HEAD what GET answers, without the body", async () => {
    const app = await testApp();
    for (const url of ["/v1/models", "/openapi.json", "/healthz", "/v1/datasets/nobody"]) {
      const [get, head] = [await app.inject(url), await app.inject({ method: "HEAD", url })];
      expect(head.statusCode).toBe(get.statusCode);
      expect(head.headers["content-type"]).toBe(get.headers["content-type"]);
      expect(head.body).toBe("");
    }
  });
});

describe("what is hardly HTTP", () => {
  it.each([
    ["an unknown method", "FOO /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
    ["a proxy's method", "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n", 405],
    ["HTTP/0.9, which has no Host", "GET /v1/models\r\n\r\n", 403],
    ["no Host", "GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n", 400],
    ["a header without a colon", "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nbroken\r\n\r\n", 400],
    [
      "two lengths of one body",
      "POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      400,
    ],
    [
      "a chunk without a length",
      "POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
      400,
    ],
    [
      "an expectation that nobody meets",
      "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nexpect: wonders\r\n\r\n",
      417,
    ],
    [
      "a head that is too large",
      `GET / HTTP/1.1\r\nhost: localhost\r\na: ${"b".repeat(20_000)}\r\n\r\n`,
      431,
    ],
  ])("%s is answered by a problem", async (_about, bytes, status) => {
    const answer = await exchange(await listeningPort(await testApp()), bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toMatch(/x-content-type-options: nosniff/i);
    expect(codeOf(answer)).toBeTypeOf("string");
  });
});
