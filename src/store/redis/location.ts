import type { RedisOptions } from "ioredis";
import { AssayError } from "../../errors.js";

/** Where the data lives: how to connect, and what every key begins with. */
export interface RedisLocation {
  readonly connection: Pick<RedisOptions, "host" | "port" | "username" | "password" | "db" | "tls">;
  readonly prefix: string;
}

const PREFIX = /^[A-Za-z0-9_.:-]{1,64}$/;

/**
 * Reads `redis[s]://[user[:password]@]host[:port][/db][?prefix=assay]`; `rediss` is TLS, checked against the machine's
 * certificate authorities (NODE_EXTRA_CA_CERTS adds one). The prefix keeps apart several services on one Redis.
 * @throws AssayError `config_invalid`, without the URL, for that holds the password
 */
export function parseRedisUrl(text: string): RedisLocation {
  if (!URL.canParse(text)) throw invalid("it is not a URL");
  const url = new URL(text);
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    throw invalid("it must begin with redis:// or rediss://");
  if (url.hostname === "") throw invalid("it names no host");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const { prefix = "assay", ...unknown } = Object.fromEntries(url.searchParams);
  const [parameter] = Object.keys(unknown);
  if (parameter !== undefined) throw invalid(`it has the unknown parameter ${parameter}`);
  if (!PREFIX.test(prefix)) throw invalid("its prefix must be 1 to 64 of letters, digits and _ . : -");
  const db = url.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(db)) throw invalid("its path must be a database number");
  return {
    prefix,
    connection: {
      host,
      port: url.port === "" ? 6379 : Number(url.port),
      db: Number(db),
      ...(url.username === "" ? {} : { username: decode(url.username) }),
      ...(url.password === "" ? {} : { password: decode(url.password) }),
      ...(url.protocol === "rediss:" ? { tls: { servername: host } } : {}),
    },
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid("its user or password is not percent-encoded");
  }
}

function invalid(reason: string): AssayError {
  return new AssayError("config_invalid", { detail: `The Redis URL is not valid: ${reason}` });
}
