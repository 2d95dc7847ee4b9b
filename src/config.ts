import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { AssayError, type Fault } from "./errors.js";
import type { DeviceChoice } from "./ranker/ranker.js";
import { faultOfRedisUrl } from "./store/redis/location.js";

/** The value of `ASSAY_DEFAULT_MODEL` for a service without a default model. */
export const NO_MODEL = "none";

const packageRoot = fileURLToPath(new URL("..", import.meta.url));

/** An integer written as text. */
function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
}

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

const keyList = list.refine((keys) => keys.every((key) => key.length >= 16), {
  message: "holds a key shorter than 16 characters",
});

const digestKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 hex digits")
  .transform((text) => Buffer.from(text, "hex"));

const deviceList = z
  .string()
  .regex(/^(auto|cpu|cuda|cuda:\d+(,cuda:\d+)*)$/, "must be auto, cpu, cuda, cuda:N or a list of cuda:N")
  .transform((text): DeviceChoice[] => {
    if (text === "cpu") return [{ device: { kind: "cpu" }, fallback: false }];
    if (text === "auto") return [{ device: { kind: "cuda", index: 0 }, fallback: true }];
    const indices = text === "cuda" ? [0] : text.split(",").map((item) => Number(item.slice("cuda:".length)));
    return [...new Set(indices)].map((index) => ({ device: { kind: "cuda", index }, fallback: false }));
  });

const redisUrl = z.string().superRefine((text, context) => {
  const fault = faultOfRedisUrl(text);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});

export interface Setting {
  /** Reads the text of the environment or of the flag. */
  readonly type: z.ZodType<unknown, string>;
  /** The default value, as the environment would give it; absent if the setting has no default. */
  readonly preset?: string;
  /** What the table says instead if the default depends on the machine. */
  readonly presetText?: string;
  /** What it means and in which unit, in Markdown. */
  readonly help: string;
}

/**
 * Every setting. `Config`, the flags of `assay serve` and the table in docs/configuration.md are all derived from this table: the
 * flag of `ASSAY_DATA_DIR` is `--data-dir`, its field in `Config` is `dataDir`.
 */
export const SETTINGS = {
  ASSAY_HOST: {
    type: z.string().min(1),
    preset: "127.0.0.1",
    help: "Address to listen on. A name such as `localhost` means the first address that it resolves to. Any address but loopback needs `ASSAY_API_KEYS`.",
  },
  ASSAY_PORT: {
    type: integer(0, 65535),
    preset: "8080",
    help: "Port to listen on; 0 chooses a free port. (If a Kubernetes Service is named assay, Kubernetes sets this variable to `tcp://…`: set `enableServiceLinks: false`.)",
  },
  ASSAY_DATA_DIR: {
    type: z.string().min(1),
    preset: join(packageRoot, "data"),
    presetText: "`data` in the package",
    help: "Folder of the embedded store, on a local disk; several processes may share it.",
  },
  ASSAY_REDIS_URL: {
    type: redisUrl,
    help: "URL of a Redis server that is used instead of the embedded store: `redis://user:password@host:6379/0`. Percent-encode user and password, use `rediss://` for TLS and `?prefix=` for a key prefix ([redis.md](redis.md)).",
  },
  ASSAY_MODELS_DIR: {
    type: z.string().min(1),
    preset: join(packageRoot, "models"),
    presetText: "`models` in the package",
    help: "Folder that holds the model folders.",
  },
  ASSAY_DEFAULT_MODEL: {
    type: z.string().min(1),
    preset: "default",
    help: `Model of a request that names no model. It is loaded at the start. \`${NO_MODEL}\`: there is none, the service needs no model folder, and it takes observations.`,
  },
  ASSAY_PINNED_MODELS: {
    type: list,
    preset: "",
    help: "Further models that are loaded at the start, separated by commas. Any other model is loaded by its first request, which waits for it.",
  },
  ASSAY_WEIGHTS_BYTES_MAX: {
    type: integer(1, 2 ** 50),
    preset: String(4 * 2 ** 30),
    help: "Size in bytes of the largest `weights.bin` that `PUT /v1/models/{model}/weights` accepts.",
  },
  ASSAY_PRECISION: {
    type: z.enum(["fp32", "int8"]),
    preset: "fp32",
    help: "Precision of a request that names no precision.",
  },
  ASSAY_DEVICE: {
    type: deviceList,
    preset: "auto",
    help: "`auto`: the first CUDA device, or the CPU if there is none. `cpu`: the CPU. `cuda`, `cuda:1` or a list such as `cuda:0,cuda:1`: one engine process on each device; the service does not start if one is missing.",
  },
  ASSAY_SESSIONS: {
    type: integer(1, 256),
    presetText: "one for each core, 4 at most",
    help: "Sessions of a model that run at the same time on the CPU.",
  },
  ASSAY_MEMORY_CHECK: {
    type: z.enum(["on", "off"]),
    preset: "on",
    help: "`on`: a model, or a graph of it, that needs more memory than is available is refused ([sizing.md](sizing.md)). `off`: it is loaded all the same.",
  },
  ASSAY_THREADS_PER_SESSION: {
    type: integer(1, 1024),
    presetText: "cores divided by sessions",
    help: "Threads that ONNX Runtime uses inside one operator of one session.",
  },
  ASSAY_API_KEYS: {
    type: keyList,
    preset: "",
    help: "Bearer keys, separated by commas, each with at least 16 characters. Without keys the service answers only requests for localhost, 127.0.0.1 and [::1], and refuses requests that a page of another site sends.",
  },
  ASSAY_DIGEST_KEY: {
    type: digestKey,
    help: "Key of the digests under which the store keeps outputs, 64 hex digits. By default the service makes a key once and keeps it in the store.",
  },
  ASSAY_SAMPLES_MAX: {
    type: integer(1, 1_000_000),
    preset: "2048",
    help: "Most samples in one `POST /v1/score`.",
  },
  ASSAY_IDS_MAX: {
    type: integer(1, 1_000_000),
    preset: "10000",
    help: "Most ids in one look-up.",
  },
  ASSAY_DIRECTIONS_MAX: {
    type: integer(1, 1000),
    preset: "32",
    help: "Most directions that are kept. Each takes four bytes for every parameter of its gradient scope.",
  },
  ASSAY_BODY_BYTES_MAX: {
    type: integer(1024, 2 ** 31),
    preset: String(16 * 2 ** 20),
    help: "Largest size in bytes of one request's body, or of one line of a stream.",
  },
  ASSAY_BODIES_BYTES_MAX: {
    type: integer(1024, 2 ** 40),
    preset: String(256 * 2 ** 20),
    help: "Largest size in bytes of all bodies that are held at once, which are read but not yet answered. Further requests are answered 429. The memory used is a few times this size.",
  },
  ASSAY_ID_BYTES_MAX: {
    type: integer(1, 256),
    preset: "256",
    help: "Longest id or group of a sample, in bytes of UTF-8. The stores accept at most 256.",
  },
  ASSAY_TEXT_CHARS_MAX: {
    type: integer(1, 10_000_000),
    preset: "100000",
    help: "Longest text (query, document or text), in characters (code points). The model also truncates each text at its token limit.",
  },
  ASSAY_QUEUE_TOKENS_MAX: {
    type: integer(1, 1_000_000_000),
    preset: "131072",
    help: "While this many tokens wait for a model, further requests are answered 429. Small requests and bulk requests have separate queues.",
  },
  ASSAY_OUTPUTS_DAYS: {
    type: integer(1, 36_500),
    preset: "30",
    help: "Days after which the store deletes the outputs of a text.",
  },
  ASSAY_OUTPUTS_BYTES_MAX: {
    type: integer(2 ** 20, 2 ** 50),
    preset: String(4 * 2 ** 30),
    help: "Largest estimated size in bytes of the outputs in the store. Beyond it the oldest outputs are deleted.",
  },
  ASSAY_CLOSE_TIMEOUT_MS: {
    type: integer(0, 3_600_000),
    preset: "30000",
    help: "Time in milliseconds that running requests have to finish after SIGTERM or SIGINT.",
  },
  ASSAY_LOG_LEVEL: {
    type: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]),
    preset: "info",
    help: "Lowest level that is logged.",
  },
} as const satisfies Readonly<Record<`ASSAY_${string}`, Setting>>;

type Settings = typeof SETTINGS;
type SettingName = keyof Settings;

type CamelCase<Name extends string> = Name extends `${infer Word}_${infer Rest}`
  ? `${Lowercase<Word>}${Capitalize<CamelCase<Rest>>}`
  : Lowercase<Name>;
type FieldOf<Name extends SettingName> = Name extends `ASSAY_${infer Rest}` ? CamelCase<Rest> : never;

/** All settings: one field for each. It is undefined if the setting has no default and is not set. */
export type Config = {
  readonly [Name in SettingName as FieldOf<Name>]:
    | z.output<Settings[Name]["type"]>
    | (Settings[Name] extends { readonly preset: string } ? never : undefined);
};

/** A setting's flag: `ASSAY_DATA_DIR` → `data-dir`. */
export function flagOf(name: string): string {
  return name.slice("ASSAY_".length).toLowerCase().replaceAll("_", "-");
}

/** A setting's field of `Config`: `ASSAY_DATA_DIR` → `dataDir`. */
function fieldOf(name: string): string {
  return flagOf(name).replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Reads the configuration. `flags` (by flag name) win over `environment`. Throws `config_invalid` naming every bad value and
 * every unknown ASSAY_ name.
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>> = {},
): Config {
  const faults: Fault[] = Object.keys(environment)
    .filter((name) => name.startsWith("ASSAY_") && !(name in SETTINGS))
    .map((path) => ({ path, message: "is not a setting of Assay" }));
  const fields = Object.entries<Setting>(SETTINGS).map(([name, { type, preset }]) => {
    const text = flags[flagOf(name)] ?? environment[name] ?? preset;
    if (text === undefined) return [fieldOf(name), undefined];
    const { data, error } = type.safeParse(text);
    if (error) faults.push({ path: name, message: error.issues.map(({ message }) => message).join("; ") });
    return [fieldOf(name), data];
  });
  if (faults.length > 0) {
    throw new AssayError("config_invalid", {
      detail: faults.map(({ path, message }) => `${path} ${message}`).join("\n"),
      faults,
    });
  }
  // `Config` maps over the table in the same way as this loop does, but the compiler cannot see that.
  return Object.fromEntries(fields) as Config;
}

/** Throws `config_invalid` if other machines could use the service without a key. */
export function checkBind({ host, apiKeys }: Pick<Config, "host" | "apiKeys">): void {
  if (apiKeys.length > 0 || isLoopback(host)) return;
  const message = `${host} is not a loopback address: set ASSAY_API_KEYS, or listen on 127.0.0.1`;
  throw new AssayError("config_invalid", {
    detail: `ASSAY_HOST ${message}`,
    faults: [{ path: "ASSAY_HOST", message }],
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
