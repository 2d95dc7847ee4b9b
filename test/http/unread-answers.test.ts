import { setTimeout as delay } from "node:timers/promises";
import Fastify from "fastify";
import { expect, it, onTestFinished } from "vitest";
import { boundUnreadAnswers } from "../../src/http/plugins/unread-answers.js";
import { exchange, listeningPort, openSocket } from "../support/raw.js";

const ANSWER_BYTES = 24 * 2 ** 20;
const ASK = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

it("an answer that is not read gives way once all together are too large, the oldest first; one that is read does not", async () => {
  const app = Fastify();
  onTestFinished(() => app.close());
  boundUnreadAnswers(app, 2 * ANSWER_BYTES);
  app.get("/", async () => "a".repeat(ANSWER_BYTES));
  const port = await listeningPort(app);

  for (let i = 0; i < 2; i++) {
    const socket = await openSocket(port);
    socket.pause();
    socket.write(ASK);
    await delay(600);
  }
  await delay(1200);
  expect(await connectionsOf(app.server)).toBe(2);
  expect((await exchange(port, ASK)).length).toBeGreaterThan(ANSWER_BYTES);
  await expect.poll(() => connectionsOf(app.server)).toBe(1);
});

function connectionsOf(server: {
  getConnections(done: (error: Error | null, count: number) => void): unknown;
}) {
  return new Promise<number>((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
