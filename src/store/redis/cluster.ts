import { type Connection, type ConnectOptions, connect, type Link, type Master } from "./connection.js";
import { unavailable } from "./faults.js";
import type { RedisLocation } from "./location.js";
import { SLOTS, type SlotRange, slotOf, slotRanges } from "./slots.js";

/** Least time between two looks at who has which slots, when a server does not answer. */
const LOOK_AGAIN_MS = 500;
/** Times that a command follows its slot to another server. */
const REDIRECTIONS_MAX = 5;

/** Who has which slots. */
interface Topology {
  /** (SLOTS) `host:port` of each slot's master; undefined where there is none. */
  readonly masters: readonly (string | undefined)[];
  readonly nodes: ReadonlyMap<string, SlotRange>;
}

/**
 * Connects to a Redis Cluster: to each master as `connect` does, and sends each command to the master of its key's slot. All keys of a
 * command have one slot. The server of the URL says who has which slots, and if it is gone, any other. A command whose slot has moved
 * follows it. A command to a master that is lost fails at once, and asks for the slots again: after a failover the next ones go to
 * the new master. While a slot is being moved, commands on it may fail.
 */
export function connectCluster(location: RedisLocation, { timeoutMs, onChange }: ConnectOptions): Connection {
  const links = new Map<string, Link>();
  /** Reasons of the links that are lost. */
  const lost = new Map<string, string>();
  /** Connections of links that are closed. */
  let earlier = 0;
  let topology: Topology | null = null;
  let looking: Promise<Topology> | null = null;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let closed = false;
  const seed = open("", location);

  function open(name: string, at: RedisLocation): Link {
    return connect(at, {
      timeoutMs,
      onChange(reason) {
        const before = lost.size;
        if (reason === null) lost.delete(name);
        else lost.set(name, reason);
        // The server of the URL is needed only until others are known.
        if (name === "" && links.size > 0) return;
        if (reason !== null) onChange(reason);
        else if (before > 0 && lost.size === 0) onChange(null);
      },
    });
  }

  function linkTo(name: string, { host, port }: SlotRange): Link {
    const known = links.get(name);
    if (known !== undefined) return known;
    const { connection } = location;
    const at = host === "" ? connection : { ...connection, host };
    const link = open(name, { ...location, connection: { ...at, port } });
    links.set(name, link);
    return link;
  }

  async function askForSlots(): Promise<readonly SlotRange[]> {
    let failure: unknown;
    for (const link of [seed, ...links.values()]) {
      try {
        return await link.send("CLUSTER", ["SLOTS"], slotRanges);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  async function look(): Promise<Topology> {
    lookedAtMs = performance.now();
    const ranges = await askForSlots();
    const masters: (string | undefined)[] = new Array(SLOTS);
    const nodes = new Map<string, SlotRange>();
    for (const range of ranges) {
      const name = `${range.host}:${range.port}`;
      nodes.set(name, range);
      masters.fill(name, range.first, range.last + 1);
    }
    if (closed) throw unavailable("The store is closed");
    for (const [name, range] of nodes) linkTo(name, range);
    for (const [name, link] of links) {
      if (nodes.has(name)) continue;
      links.delete(name);
      lost.delete(name);
      earlier += link.connections() + 1;
      void link.close();
    }
    topology = { masters, nodes };
    return topology;
  }

  /** One look at a time. */
  function lookAgain(): Promise<Topology> {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function masterOf(key: string): Promise<Link> {
    const { masters } = topology ?? (await lookAgain());
    const name = masters[slotOf(key)];
    const link = name === undefined ? undefined : links.get(name);
    if (link !== undefined) return link;
    lookInTime();
    throw unavailable("No server of the Redis Cluster has a slot that is needed: see CLUSTER INFO");
  }

  /** Looks who has which slots unless that was done just now. It is not waited for. */
  function lookInTime(): void {
    if (performance.now() - lookedAtMs < LOOK_AGAIN_MS) return;
    lookAgain().catch(() => undefined); // the next command says what is wrong
  }

  async function routed<T>(key: string, work: (link: Link) => Promise<T>): Promise<T> {
    for (let redirections = 0; ; redirections++) {
      const link = await masterOf(key);
      try {
        return await work(link);
      } catch (error) {
        if (!isMoved(error) || redirections === REDIRECTIONS_MAX) {
          lookInTime();
          throw error;
        }
        await lookAgain();
      }
    }
  }

  return {
    send: (command, args, reply) => routed(String(args[0]), (link) => link.send(command, args, reply)),
    run: (script, key, args) => routed(key, (link) => link.run(script, key, args)),
    runPacked: (script, key, args) => routed(key, (link) => link.runPacked(script, key, args)),

    connections: () => [...links.values()].reduce((sum, link) => sum + link.connections(), earlier),

    async masters(base) {
      const { nodes, masters } = await lookAgain();
      return [...nodes.keys()].map((name): Master => {
        let tag = 0;
        while (masters[slotOf(`${base}:{${tag}}`)] !== name) tag++;
        return { link: links.get(name) as Link, key: `${base}:{${tag}}` };
      });
    },

    async tried() {
      await seed.tried();
      await lookAgain().catch(() => undefined); // whoever uses the store is told
      await Promise.all([...links.values()].map((link) => link.tried()));
    },

    async close() {
      closed = true;
      await Promise.all([seed, ...links.values()].map((link) => link.close()));
    },
  };
}

function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("MOVED ");
}
