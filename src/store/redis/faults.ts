import { AssayError, messageOf } from "../../errors.js";

/** What Redis answers where it does not do as it is asked, by the first word of its reply, in words without its address. */
const REPLIES: Readonly<Record<string, string>> = {
  READONLY: "Redis is a read-only replica and takes no writes",
  MASTERDOWN: "Redis is a replica that has lost its master",
  OOM: "Redis has reached its maxmemory and takes no writes: raise it, or delete what is not needed",
  MISCONF: "Redis cannot save its data to disk and takes no writes; its log says why",
  NOREPLICAS: "Redis has fewer replicas than its min-replicas-to-write and takes no writes",
  LOADING: "Redis is still reading its data",
  BUSY: "Redis is busy with a script of another client",
  WRONGPASS: "Redis refuses the user or the password of its URL",
  NOAUTH: "Redis wants a password, and its URL has none",
  MOVED: "Redis is a cluster: give the URL of a single server",
  CROSSSLOT: "Redis is a cluster: give the URL of a single server",
  CLUSTERDOWN: "Redis is a cluster: give the URL of a single server",
};

const UNTRUSTED =
  "Redis's certificate is of an authority that is not trusted: NODE_EXTRA_CA_CERTS names a file with it";
const NOT_TLS =
  "Redis does not speak TLS on this port: write redis:// where it does not, or give its tls-port";

/** Errors of sockets and TLS by their code. */
const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Redis refuses the connection: it does not run, or not on this host and port",
  ECONNRESET: "The connection to Redis was lost",
  EPIPE: "The connection to Redis was lost",
  ETIMEDOUT: "Redis does not take the connection in time",
  ENOTFOUND: "The host name of Redis is not known",
  EAI_AGAIN: "The host name of Redis cannot be looked up now",
  EHOSTUNREACH: "There is no way to the host of Redis",
  ENETUNREACH: "There is no way to the host of Redis",
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_HAS_EXPIRED: "Redis's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "Redis's certificate is of another host than the URL names",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    "Redis wants a certificate of its clients, which Assay has not: set tls-auth-clients no, and a password",
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
};

/** ioredis's own errors, by how they begin. */
const CLIENT: readonly (readonly [start: string, words: string])[] = [
  ["Command timed out", "Redis has not answered in time"],
  ["Socket timeout", "Redis has not answered for long: the connection was given up"],
  ["Connection is closed", "The connection to Redis was lost"],
  ["Reached the max retries", "The connection to Redis was lost before it answered"],
  ["Stream isn't writeable", "There is no connection to Redis"],
  ["Command aborted", "The connection to Redis was lost before it answered"],
];

/**
 * An error of ioredis or of Redis, in the catalogue's terms: the detail, for clients, has no address, no user and no password;
 * the cause, for the log, has the address.
 */
export function explain(error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  const reason = reasonOf(error);
  // A script's own error comes with Redis's additions around it.
  const corruption = /\bCORRUPT (.+?)(?: script: |$)/.exec(reason)?.[1];
  // A new error, for ioredis's carries the command with its arguments: of HELLO the password.
  const cause = new Error(reason);
  if (corruption !== undefined) {
    return new AssayError("store_corrupt", { detail: `The store cannot be read: ${corruption}`, cause });
  }
  return new AssayError("store_unavailable", { detail: wordsFor(error, reason), cause });
}

/** Where nothing of the connection failed, but it is not to be used. */
export function unavailable(detail: string): AssayError {
  return new AssayError("store_unavailable", { detail });
}

/** The message for the log, without the user that some versions of Redis name. */
export function reasonOf(error: unknown): string {
  // One of several addresses that were all tried: the whole has no message.
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  const message = messageOf(error);
  return message.replace(/\bUser \S+ has no permissions/i, "this user has no permissions");
}

/** Redis's user lacks these commands, or the keys to run them on. */
export function notPermitted(commands: readonly string[], prefix: string): AssayError {
  const reason = `NOPERM ${commands.join(", ")}`;
  return new AssayError("store_unavailable", {
    detail: `Redis's user may not run ${commands.join(", ")} on keys that begin with "${prefix}:" (NOPERM)`,
    cause: new Error(reason),
  });
}

/** Redis answers, but not to whom the URL names, or has not what it names: that takes a person. */
export function isRefusal({ cause }: AssayError): boolean {
  return cause instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM)\b|^ERR .*DB index/.test(cause.message);
}

/** The server is, or has become, a replica: another may be the master now. */
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
  if (reply === undefined) return `Redis did not do its part: ${reason}`;
  if (reply === "NOPERM") return wordsForPermission(reason);
  if (/^ERR .*DB index/.test(reason))
    return "Redis has no database of the number that its URL names: its setting databases says how many it has";
  if (/^ERR The user executing/.test(reason))
    return "Redis's user lacks a command or a key that a script uses";
  return `${REPLIES[reply] ?? "Redis refuses a command; the log says why"} (${reply})`;
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
