import { AssayError, messageOf } from "../../errors.js";

/** Error replies of Redis by their first word, in sentences that do not contain its address. */
const REPLIES: Readonly<Record<string, string>> = {
  READONLY: "Redis is a read-only replica and accepts no writes",
  MASTERDOWN: "Redis is a replica that has lost its master",
  OOM: "Redis has reached its maxmemory and accepts no writes: raise maxmemory, or delete data that you do not need",
  MISCONF: "Redis cannot save its data to disk and accepts no writes: see the log of Redis",
  NOREPLICAS: "Redis has fewer replicas than its min-replicas-to-write and accepts no writes",
  LOADING: "Redis is still loading its data",
  BUSY: "Redis is running a long script of another client",
  WRONGPASS: "Redis refuses the user or the password of the URL",
  NOAUTH: "Redis needs a password, but the URL has none",
  MOVED: "Redis is a cluster: add cluster=true to the URL, after a ? or &",
  CLUSTERDOWN: "The Redis Cluster has no master of some slots now: see CLUSTER INFO",
  ASK: "The Redis Cluster is moving the slot of a key to another server",
  TRYAGAIN: "The Redis Cluster is moving the slot of a key to another server",
};

const UNTRUSTED =
  "The authority of Redis's certificate is not trusted: set NODE_EXTRA_CA_CERTS to a file with the authority's certificate";
const NOT_TLS =
  "Redis does not use TLS on this port: write redis:// instead of rediss://, or give the tls-port of Redis";

/** Sentences for errors of sockets and TLS, by their code. */
const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "The connection to Redis is refused: check that Redis runs on this host and port",
  ECONNRESET: "The connection to Redis was lost",
  EPIPE: "The connection to Redis was lost",
  ETIMEDOUT: "Redis did not accept the connection in time",
  ENOTFOUND: "The host name of Redis is not known",
  EAI_AGAIN: "The host name of Redis cannot be looked up now",
  EHOSTUNREACH: "The host of Redis cannot be reached",
  ENETUNREACH: "The network of Redis cannot be reached",
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_HAS_EXPIRED: "Redis's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "Redis's certificate is for another host than the URL names",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    "Redis needs a client certificate, which Assay does not have: set tls-auth-clients no in Redis, and use a password",
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
};

/** Sentences for ioredis's own errors, by the beginning of their messages. */
const CLIENT: readonly (readonly [start: string, words: string])[] = [
  ["Command timed out", "Redis has not answered in time"],
  ["Socket timeout", "Redis has not answered for a long time, so the connection was closed"],
  ["Connection is closed", "The connection to Redis was lost"],
  ["Reached the max retries", "The connection to Redis was lost before it answered"],
  ["Stream isn't writeable", "There is no connection to Redis"],
  ["Command aborted", "The connection to Redis was lost before it answered"],
];

/**
 * Converts an error of ioredis or of Redis to one of the catalogue. Its detail is for clients and has no address, no user and no
 * password. Its cause is for the log and has the address.
 */
export function explain(error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  const reason = reasonOf(error);
  // Redis adds text before and after a script's own error.
  const corruption = /\bCORRUPT (.+?)(?: script: |$)/.exec(reason)?.[1];
  // A new error is needed, because ioredis's error contains the command with its arguments, and HELLO's include the password.
  const cause = new Error(reason);
  if (corruption !== undefined) {
    return new AssayError("store_corrupt", { detail: `The store cannot be read: ${corruption}`, cause });
  }
  return new AssayError("store_unavailable", { detail: wordsFor(error, reason), cause });
}

/** The error for a connection that has not failed but must not be used. */
export function unavailable(detail: string): AssayError {
  return new AssayError("store_unavailable", { detail });
}

/** The message for the log, without the user that some versions of Redis name. */
export function reasonOf(error: unknown): string {
  // The host has several addresses, and all failed: the error as a whole has no message.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  const message = messageOf(error);
  return message.replace(/\bUser \S+ has no permissions/i, "this user has no permissions");
}

/** The error if Redis's user may not run these commands, or not on these keys. */
export function notPermitted(commands: readonly string[], prefix: string): AssayError {
  const reason = `NOPERM ${commands.join(", ")}`;
  return new AssayError("store_unavailable", {
    detail: `Redis's user may not run ${commands.join(", ")} on keys that begin with "${prefix}:" (NOPERM)`,
    cause: new Error(reason),
  });
}

/** Whether Redis refuses the user, the password, a permission or the database. Only a person can change that. */
export function isRefusal({ cause }: AssayError): boolean {
  return cause instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM)\b|^ERR .*DB index/.test(cause.message);
}

/** Whether the server is a replica. Another server may be the master now. */
export function isOfReplica(error: Error): boolean {
  return /^(READONLY|MASTERDOWN)\b/.test(error.message);
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

function wordsFor(error: unknown, reason: string): string {
  const code = codeOf(error);
  if (code !== null) return `${CODES[code] ?? "Redis cannot be reached"} (${code})`;
  const known = CLIENT.find(([start]) => reason.startsWith(start));
  if (known !== undefined) return known[1];
  const reply = /^[A-Z]+(?= )/.exec(reason)?.[0];
  if (reply === undefined) return `Redis failed: ${reason}`;
  if (reply === "NOPERM") return wordsForPermission(reason);
  if (/^ERR .*DB index/.test(reason))
    return "Redis does not have the database number that the URL names: see its setting databases for how many it has";
  if (/^ERR This instance has cluster support disabled/.test(reason))
    return "Redis is not a cluster: remove cluster=true from the URL";
  if (/non local key in a cluster|CROSSSLOT/.test(reason))
    return "A Redis Cluster cannot keep a dataset whose name begins with }: choose another name";
  if (/^ERR The user executing/.test(reason))
    return "Redis's user may not use a command or a key that a script needs";
  return `${REPLIES[reply] ?? "Redis refuses a command: see the log of Assay"} (${reply})`;
}

function wordsForPermission(reason: string): string {
  const command = /run the '([^']+)' command/.exec(reason)?.[1];
  return command === undefined
    ? "Redis's user may not use the keys of the prefix (NOPERM)"
    : `Redis's user may not run ${command.toUpperCase().replace("|", " ")} (NOPERM)`;
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
