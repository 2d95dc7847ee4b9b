import { type AddressInfo, connect, type Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { onTestFinished } from "vitest";

/** The port of an app that listens on 127.0.0.1 until the test has finished. */
export async function listeningPort(app: FastifyInstance): Promise<number> {
  await app.listen({ host: "127.0.0.1", port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** A connection that a test writes to byte by byte; gone after it. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** What a server answers to these bytes until it closes the connection. */
export async function exchange(port: number, bytes: string): Promise<string> {
  const socket = await openSocket(port);
  let answer = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    answer += part;
  });
  socket.write(bytes, "latin1");
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

/** The code of the problem that an answer of `exchange` ends with. */
export function codeOf(answer: string): unknown {
  return (JSON.parse(answer.slice(answer.lastIndexOf("\r\n\r\n"))) as { code: unknown }).code;
}
