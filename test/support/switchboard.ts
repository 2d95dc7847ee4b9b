import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A port of our own whose new connections go where `target` says: as a host name that a failover points elsewhere. */
export interface Switchboard {
  readonly port: number;
  target: number;
  close(): Promise<void>;
}

export async function startSwitchboard(target: number): Promise<Switchboard> {
  const open = new Set<Socket>();
  const board: Switchboard = { port: 0, target, close };
  const server = createServer((from) => {
    const to = connect(board.target, "127.0.0.1");
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => open.delete(one));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  async function close(): Promise<void> {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }

  return Object.assign(board, { port: (server.address() as AddressInfo).port });
}
