import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A connection with more unanswered requests is closed: each request costs memory, even if the client reads no answer. */
export const UNANSWERED_MAX = 32;

const unanswered = new WeakMap<Duplex, Set<ServerResponse>>();

/** The answers that a connection's client still waits for, in the order of its requests. */
export function requestsUnderWay(socket: Duplex): ReadonlySet<ServerResponse> {
  return unanswered.get(socket) ?? NONE;
}

const NONE: ReadonlySet<ServerResponse> = new Set();

/**
 * Whether to handle a request. Closes the connection if it has too many requests. The parser still reads the rest of a packet
 * after its connection has been closed, so requests of a closed connection arrive here too.
 */
export function admit({ socket }: IncomingMessage, response: ServerResponse): boolean {
  if (socket.destroyed) return false;
  const open = unanswered.get(socket) ?? track(socket);
  if (open.size >= UNANSWERED_MAX) {
    socket.destroy();
    return false;
  }
  open.add(response);
  response.once("close", () => open.delete(response));
  return true;
}

function track(socket: Socket): Set<ServerResponse> {
  const open = new Set<ServerResponse>();
  unanswered.set(socket, open);
  // When a connection ends, Node tells only the answer that is being sent. Work on the other answers has to end too.
  socket.once("close", () => {
    for (const response of open) response.emit("close");
  });
  return open;
}
