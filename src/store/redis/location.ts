import { isIP } from "node:net";
import type { RedisOptions } from "ioredis";
import { AssayError } from "../../errors.js";

/** The place of the data: how to connect, the database, and the prefix of every key. */
export interface RedisLocation {
  readonly connection: Pick<RedisOptions, "host" | "port" | "username" | "password" | "tls">;
  readonly database: number;
  readonly prefix: string;
  /** Whether the server is one of a Redis Cluster. */
  readonly cluster: boolean;
}

const PREFIX = /^[A-Za-z0-9_.:-]{1,64}$/;
const ENCODE =
  "percent-encode these characters of a user or password: / as %2F, ? as %3F, # as %23, @ as %40, % as %25";

/**
 * Reads `redis[s]://[user[:password]@]host[:port][/database][?prefix=assay][&cluster=true]`. `rediss` means TLS; the certificate is checked
 * against the machine's authorities, and NODE_EXTRA_CA_CERTS adds one. The prefix separates several services on one Redis.
 * @throws AssayError `config_invalid`, which does not quote the URL, because any part of it may belong to the password
 */
export function parseRedisUrl(text: string): RedisLocation {
  const read = readRedisUrl(text);
  if ("fault" in read) {
    throw new AssayError("config_invalid", { detail: `The Redis URL ${read.fault}` });
  }
  return read;
}

/** What is wrong with the URL, as the predicate of a sentence whose subject is the URL; null if it is valid. */
export function faultOfRedisUrl(text: string): string | null {
  const read = readRedisUrl(text);
  return "fault" in read ? read.fault : null;
}

function readRedisUrl(text: string): RedisLocation | { readonly fault: string } {
  if (!/^rediss?:\/\//.test(text)) return { fault: "must begin with redis:// or rediss://" };
  // A URL parser silently removes line ends and tabs, even from a password.
  if (/\s/.test(text)) return { fault: "contains a space, a tab or a line end" };
  const afterScheme = text.slice(text.indexOf("//") + 2);
  const end = afterScheme.search(/[/?#]/);
  if (end !== -1 && afterScheme.includes("@", end)) {
    return { fault: `has an unencoded /, ? or # before its @: ${ENCODE}` };
  }
  if (afterScheme.includes("#")) return { fault: `has an unencoded #: ${ENCODE}` };
  if (!URL.canParse(text)) {
    return { fault: `does not have the form redis://user:password@host:6379/0?prefix=assay; ${ENCODE}` };
  }
  const url = new URL(text);
  if (url.hostname === "") return { fault: "names no host" };
  if (url.port === "0") return { fault: "must have a port from 1 to 65535" };
  const username = decode(url.username);
  const password = decode(url.password);
  if (username === null || password === null) {
    return { fault: `has a user or password that is not percent-encoded: ${ENCODE}` };
  }
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (database === undefined) {
    return { fault: "must have a database number after its host and port, as in redis://host:6379/0" };
  }
  const names = [...url.searchParams.keys()];
  if (names.some((name) => name !== "prefix" && name !== "cluster") || new Set(names).size < names.length) {
    return {
      fault:
        "may have only the parameters prefix and cluster after its ?; write the database as a path, as in /0",
    };
  }
  const given = url.searchParams.get("cluster");
  if (given !== null && given !== "true" && given !== "false") {
    return { fault: "must have cluster=true or cluster=false" };
  }
  const cluster = given === "true";
  if (cluster && Number(database) !== 0) {
    return { fault: "must not name a database, because a Redis Cluster has only number 0" };
  }
  const prefix = url.searchParams.get("prefix") ?? "assay";
  if (!PREFIX.test(prefix)) {
    return { fault: "must have a prefix of 1 to 64 letters, digits and _ . : -" };
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    prefix,
    database: Number(database),
    cluster,
    connection: {
      host,
      port: url.port === "" ? 6379 : Number(url.port),
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password }),
      // TLS allows only a name as the server name (RFC 6066), and Node 26 refuses an address.
      ...(url.protocol === "rediss:" ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {}),
    },
  };
}

/** The decoded text; null if it is not percent-encoded correctly. */
function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
