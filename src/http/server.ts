import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { AssayError } from "../errors.js";
import { admit, requestsUnderWay } from "./connections.js";
import { writeProblem } from "./raw-problems.js";

/** Connections beyond this number are closed at once. */
const CONNECTIONS_MAX = 2048;
/** A request's head must arrive within this time, from its first byte or from the start of the connection. */
const HEADERS_TIMEOUT_MS = 20_000;
/** If the client reads no byte of an answer for this long, the connection is closed. */
const UNREAD_TIMEOUT_MS = 60_000;
/** Longer than the minute after which most load balancers drop an idle connection. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/**
 * A server whose connections cost bounded memory and time before a request is known to be allowed. The code that reads a body
 * bounds the body's time, because a stream of samples may take hours.
 */
export function createBoundedServer(handler: RequestListener): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: HEADERS_TIMEOUT_MS / 4,
      // Node would answer a missing Host header without a body. The application answers it with a problem.
      requireHostHeader: false,
    },
    (request, response) => {
      if (admit(request, response)) handler(request, response);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.timeout = UNREAD_TIMEOUT_MS;
  // Node restarts this timer with each byte that is read or written. Work on an answer may take longer than the timer.
  server.on("timeout", (socket: Socket) => {
    if (socket.writableLength > 0 || requestsUnderWay(socket).size === 0) socket.destroy();
  });
  server.on("connect", (_request, socket) => {
    const error = new AssayError("method_not_allowed", {
      detail: "Assay is not a proxy: CONNECT is not supported",
    });
    writeProblem(
      socket,
      error,
      [405, "Method Not Allowed"],
      ["allow: GET, HEAD, POST, PUT, DELETE, OPTIONS"],
    );
  });
  server.on("checkExpectation", ({ socket }: IncomingMessage) => {
    const error = new AssayError("invalid_request", {
      detail: "The only Expect header that is supported is 100-continue",
    });
    writeProblem(socket, error, [417, "Expectation Failed"]);
  });
  return server;
}
