import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A connection with more requests under way is closed: each costs memory, however little of the answers its client reads. */
export const UNANSWERED_MAX = 32;

const unanswered = new WeakMap<Duplex, Set<ServerResponse>>();

/** The answers that a connection's client still waits for, in the order of its requests. */
export function requestsUnderWay(socket: Duplex): ReadonlySet<ServerResponse> {
  return unanswered.get(socket) ?? NONE;
}

const NONE: ReadonlySet<ServerResponse> = new Set();

/**
 * Whether a request is handled; closes the connection of one too many. The parser goes on to the end of a packet whose connection
 * has been closed.
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
  // Node tells the end of a connection only to the answer whose turn it is; work on the others has to end too.
  socket.once("close", () => {
    for (const response of open) response.emit("close");
  });
  return open;
}
