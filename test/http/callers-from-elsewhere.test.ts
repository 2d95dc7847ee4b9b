import { describe, expect, it } from "vitest";
import { testApp } from "../support/app.js";
import { codeOf, exchange, listeningPort } from "../support/raw.js";

const KEY = "a-key-of-the-callers";

describe("without keys", () => {
  it.each(["localhost", "localhost:80", "LOCALHOST:8080", "127.0.0.1:1", "127.8.9.1", "[::1]:8080"])(
    "Host %s is served",
    async (host) => {
      expect((await (await testApp()).inject({ url: "/v1/models", headers: { host } })).statusCode).toBe(200);
    },
  );

  it.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil@localhost",
    "localhost@evil.example",
    "192.168.1.2:8080",
    "0.0.0.0",
    "[::2]",
    "localhost/",
    " ",
  ])("Host %s is refused on every route", async (host) => {
    const app = await testApp();
    for (const url of ["/v1/models", "/openapi.json", "/docs/", "/healthz", "/metrics", "/nowhere"]) {
      const response = await app.inject({ url, headers: { host } });
      expect({ url, status: response.statusCode, code: response.json().code }).toEqual({
        url,
        status: 403,
        code: "foreign_request",
      });
    }
  });

  it("two Host headers are refused: what stands before the service may have read the other one", async () => {
    const port = await listeningPort(await testApp());
    const answer = await exchange(
      port,
      "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(codeOf(answer)).toBe("invalid_request");
  });

  it("a target that names another host is refused, whatever the Host header says", async () => {
    const port = await listeningPort(await testApp());
    const head = (target: string) => `GET ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
    expect(await exchange(port, head("http://evil.example/v1/models"))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await exchange(port, head("http://localhost/v1/models"))).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ["of a foreign page", { origin: "https://evil.example" }, 403],
    ["of a page without an origin", { origin: "null" }, 403],
    ["of a page that is named like a loopback one", { origin: "http://localhost.evil.example" }, 403],
    ["of a foreign page that a browser marks", { "sec-fetch-site": "cross-site" }, 403],
    [
      "of a foreign form",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
      403,
    ],
    ["of a page of our own", { origin: "http://localhost:8080", "sec-fetch-site": "same-origin" }, 404],
    ["of a program", {}, 404],
  ])("a deletion %s is answered as it should be", async (_about, headers, status) => {
    const app = await testApp();
    const response = await app.inject({ method: "DELETE", url: "/v1/datasets/nobody", headers });
    expect(response.statusCode).toBe(status);
  });

  it("a link on another site's page opens the documentation, and no frame does", async () => {
    const app = await testApp();
    const follow = (dest: string) => ({
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": dest,
    });
    expect((await app.inject({ url: "/docs/", headers: follow("document") })).statusCode).toBe(200);
    expect((await app.inject({ url: "/docs/", headers: follow("iframe") })).statusCode).toBe(403);
  });
});

describe("with keys", () => {
  it("any Host and Origin are served: a proxy passes them on, and no browser sends the key by itself", async () => {
    const app = await testApp({ apiKeys: [KEY] });
    const headers = {
      host: "assay.example",
      origin: "https://app.example",
      authorization: `Bearer ${KEY}`,
    };
    expect((await app.inject({ url: "/v1/models", headers })).statusCode).toBe(200);
  });

  it("a request of HTTP/1.1 without a Host is answered 400", async () => {
    const port = await listeningPort(await testApp({ apiKeys: [KEY] }));
    const answer = await exchange(port, "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(codeOf(answer)).toBe("invalid_request");
    expect(await exchange(port, "GET /healthz HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
  });

  /** Ways to write a path that a check of keys and a router may read differently. */
  const TRICKS = [
    "/v1/models",
    "/V1/MODELS",
    "/v1//models",
    "//v1/models",
    "/v1/models/",
    "/v1/models/.",
    "/v1/models.",
    "/v1/models;x=/docs",
    "/v1/models?x=/docs/",
    "/v1/models#/docs/",
    "/v1%2fmodels",
    "/%76%31/models",
    "/v1/mod%65ls",
    "/v1/models%00",
    "/v1/models%20",
    "/docs/../v1/models",
    "/docs/..%2fv1%2fmodels",
    "/docs/%2e%2e/v1/models",
    "/docs/static/../../v1/models",
    "/docs/static/..%2f..%2fv1/models",
    "/healthz/../v1/models",
    "/openapi.json/../v1/models",
    "/readyz/..;/v1/models",
    "/./v1/models",
    "\\v1\\models",
    "http://localhost/v1/models",
    "http://localhost/docs/../v1/models",
    "http://localhost/docs#/../v1/models",
    "HTTP://evil.example//v1/models",
    "/metrics",
    "/metrics/",
    "/metrics?/docs",
    "/v1/datasets",
    "/v1/datasets/d/samples/a",
    "/v1/models/default/reload",
    "/v1/datasets/%2e%2e",
    "*",
  ];
  const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"];
  const OTHER_KEYS = [
    "",
    "authorization: Bearer\r\n",
    "authorization: Bearer wrong-key-of-callers\r\n",
    `authorization: Bearer ${KEY.toUpperCase()}\r\n`,
    `x-api-key: ${KEY}\r\n`,
    "x-original-url: /docs/\r\nx-forwarded-for: 127.0.0.1\r\nx-http-method-override: GET\r\n",
  ];

  it("no spelling of a path, no method and no header passes without one of them", async () => {
    const app = await testApp({ apiKeys: [KEY] });
    const port = await listeningPort(app);
    const passed: string[] = [];
    for (const path of TRICKS) {
      for (const method of METHODS) {
        const more = OTHER_KEYS[(passed.length + path.length + method.length) % OTHER_KEYS.length] as string;
        const answer = await exchange(
          port,
          `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${more}\r\n`,
        );
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
        // These tell what the documentation does: nothing was read or done.
        const refused = [400, 401, 404, 405].includes(status) || (method === "OPTIONS" && status === 204);
        if (!refused) passed.push(`${method} ${path}: ${answer.slice(0, 40)}`);
      }
    }
    expect(passed).toEqual([]);
  });
});
