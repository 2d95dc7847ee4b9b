import type { Duplex } from "node:stream";
import type { ConnectionError } from "fastify";
import { AssayError } from "../errors.js";
import { requestsUnderWay } from "./connections.js";
import { SAFE_HEADERS } from "./plugins/safe-headers.js";
import { problemOf } from "./problems.js";

/** Answers input that is not HTTP, is too slow, or has too large a header: the parser failed before there was a request. */
export function refuseMalformed(error: ConnectionError, socket: Duplex): void {
  const detail = `The request cannot be read: ${error.message}`;
  const status = CONNECTION_STATUS[error.code] ?? [400, "Bad Request"];
  if (error.code === "ECONNRESET") socket.destroy();
  else writeProblem(socket, new AssayError("invalid_request", { detail }), status);
}

const CONNECTION_STATUS: Readonly<Record<string, StatusLine>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "Payload Too Large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout"],
};

type StatusLine = readonly [number, string];

/** Writes an error to the socket when there is no reply to send it with, and ends the connection. */
export function writeProblem(
  socket: Duplex,
  { code, message }: AssayError,
  [status, reason]: StatusLine,
  headers: readonly string[] = [],
): void {
  // If an answer has begun, a second one would corrupt it.
  if (!socket.writable || [...requestsUnderWay(socket)].some(({ headersSent }) => headersSent)) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(problemOf(code, status, message));
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    ...Object.entries(SAFE_HEADERS).map(([name, value]) => `${name}: ${value}`),
    ...headers,
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
