import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { AssayError } from "../errors.js";
import { admit, requestsUnderWay } from "./connections.js";
import { writeProblem } from "./raw-problems.js";

/** Further connections are closed at once. */
const CONNECTIONS_MAX = 2048;
/** A request's head comes within this time of its first byte, or of the connection's start. */
const HEADERS_TIMEOUT_MS = 20_000;
/** An answer of which the client takes no byte for this long is given up with its connection. */
const UNREAD_TIMEOUT_MS = 60_000;
/** Longer than the minute after which most load balancers let go of a connection. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/**
 * A server whose connections cost a bounded amount of memory and time before a request is known to be allowed. The time of a body
 * is bounded where it is read: a stream of samples may take hours.
 */
export function createBoundedServer(handler: RequestListener): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: HEADERS_TIMEOUT_MS / 4,
      // Node would answer without a body; the application answers a problem.
      requireHostHeader: false,
    },
    (request, response) => {
      if (admit(request, response)) handler(request, response);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.timeout = UNREAD_TIMEOUT_MS;
  // Node's timer starts anew with each byte that is read or written; work on an answer may take longer than it.
  server.on("timeout", (socket: Socket) => {
    if (socket.writableLength > 0 || requestsUnderWay(socket).size === 0) socket.destroy();
  });
  server.on("connect", (_request, socket) => {
    const error = new AssayError("method_not_allowed", {
      detail: "Assay is no proxy: CONNECT is not served",
    });
    writeProblem(
      socket,
      error,
      [405, "Method Not Allowed"],
      ["allow: GET, HEAD, POST, PUT, DELETE, OPTIONS"],
    );
  });
  server.on("checkExpectation", ({ socket }: IncomingMessage) => {
    const error = new AssayError("invalid_request", { detail: "Of expectations only 100-continue is met" });
    writeProblem(socket, error, [417, "Expectation Failed"]);
  });
  return server;
}
