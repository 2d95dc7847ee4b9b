import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { AssayError } from "./errors.js";
import { availableCores, shareCores } from "./ranker/cores.js";
import type { DeviceChoice } from "./ranker/ranker.js";
import type { Limits } from "./scoring/requests/limits.js";

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

const deviceList = z
  .string()
  .regex(/^(auto|cpu|cuda|cuda:\d+(,cuda:\d+)*)$/, "must be auto, cpu, cuda, cuda:N or a list of cuda:N")
  .transform((text): DeviceChoice[] => {
    if (text === "cpu") return [{ device: { kind: "cpu" }, fallback: false }];
    if (text === "auto") return [{ device: { kind: "cuda", index: 0 }, fallback: true }];
    const indices = text === "cuda" ? [0] : text.split(",").map((item) => Number(item.slice("cuda:".length)));
    return [...new Set(indices)].map((index) => ({ device: { kind: "cuda", index }, fallback: false }));
  });

interface Setting<T> {
  readonly type: z.ZodType<T, string>;
  /** As it would be written in the environment; undefined when the setting may be absent. */
  readonly preset: string | undefined;
  /** What the table says where the preset depends on the machine. */
  readonly presetText?: string;
  readonly help: string;
}

function setting<T>(
  type: z.ZodType<T, string>,
  preset: string | undefined,
  help: string,
  presetText?: string,
): Setting<T> {
  return presetText === undefined ? { type, preset, help } : { type, preset, help, presetText };
}

/** Every setting: its flag is the name without ASSAY_, in kebab case. The table in docs/configuration.md is made from this. */
export const SETTINGS = {
  ASSAY_HOST: setting(
    z.string().min(1),
    "127.0.0.1",
    "Address to listen on. Anything but loopback needs `ASSAY_API_KEYS`.",
  ),
  ASSAY_PORT: setting(
    integer(0, 65535),
    "8080",
    "Port to listen on; 0 takes a free one. (A Kubernetes Service named assay injects `tcp://…` here: set `enableServiceLinks: false`.)",
  ),
  ASSAY_DATA_DIR: setting(
    z.string().min(1),
    join(packageRoot, "data"),
    "Folder of the embedded store, on a local disk; several processes may share it.",
    "`data` in the package",
  ),
  ASSAY_REDIS_URL: setting(
    z.url({ protocol: /^rediss?$/, error: "must be a redis:// or rediss:// URL" }),
    undefined,
    "Keeps everything in Redis instead: `redis://user:password@host:6379/0`, `rediss://` for TLS, `?prefix=` for a key prefix.",
  ),
  ASSAY_MODELS_DIR: setting(
    z.string().min(1),
    join(packageRoot, "models"),
    "Folder of the model folders.",
    "`models` in the package",
  ),
  ASSAY_DEFAULT_MODEL: setting(
    z.string().min(1),
    "default",
    "Model of a request that names none; loaded at start.",
  ),
  ASSAY_PINNED_MODELS: setting(
    list,
    "",
    "Models loaded at start beside the default one, separated by commas; another is loaded by its first request, which waits.",
  ),
  ASSAY_WEIGHTS_BYTES_MAX: setting(
    integer(1, 2 ** 50),
    String(4 * 2 ** 30),
    "Bytes of the largest `weights.bin` that `PUT /v1/models/{model}/weights` takes.",
  ),
  ASSAY_PRECISION: setting(z.enum(["fp32", "int8"]), "fp32", "Precision of a request that names none."),
  ASSAY_DEVICE: setting(
    deviceList,
    "auto",
    "`auto`: the first CUDA device, or the CPU where there is none. `cpu`. `cuda`, `cuda:1` or a list such as `cuda:0,cuda:1`: an engine process on each, and no start without them.",
  ),
  ASSAY_SESSIONS: setting(
    integer(1, 256),
    undefined,
    "Sessions of a model side by side on the CPU.",
    "one for each core, 4 at most",
  ),
  ASSAY_THREADS_PER_SESSION: setting(
    integer(1, 1024),
    undefined,
    "Threads that ONNX Runtime uses inside one operator.",
    "cores by sessions",
  ),
  ASSAY_API_KEYS: setting(list, "", "Bearer keys, separated by commas; each at least 16 characters."),
  ASSAY_DIGEST_KEY: setting(
    z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
    undefined,
    "Key of the digests under which outputs are kept, 64 hex digits; by default made once and kept in the store.",
  ),
  ASSAY_SAMPLES_MAX: setting(integer(1, 1_000_000), "2048", "Samples in one `POST /v1/score`."),
  ASSAY_IDS_MAX: setting(integer(1, 1_000_000), "10000", "Ids in one look-up."),
  ASSAY_DIRECTIONS_MAX: setting(
    integer(1, 1000),
    "32",
    "Directions that are kept; each takes four bytes for every parameter of its model.",
  ),
  ASSAY_BODY_BYTES_MAX: setting(
    integer(1024, 2 ** 31),
    String(16 * 2 ** 20),
    "Bytes of one request's body, or of one line of a stream.",
  ),
  ASSAY_BODIES_BYTES_MAX: setting(
    integer(1024, 2 ** 40),
    String(256 * 2 ** 20),
    "Bytes of all bodies that are held at once, read and not yet answered; over it requests are answered 429. Memory is a few times that.",
  ),
  ASSAY_ID_BYTES_MAX: setting(
    integer(1, 256),
    "256",
    "Bytes of UTF-8 of a sample's id or group; the stores take no longer ones.",
  ),
  ASSAY_TEXT_CHARS_MAX: setting(
    integer(1, 10_000_000),
    "100000",
    "Characters (code points) of one text (query, document or text); the model itself truncates at its token limit.",
  ),
  ASSAY_QUEUE_TOKENS_MAX: setting(
    integer(1, 1_000_000_000),
    "131072",
    "While this many tokens wait for a model, further requests are answered 429; small ones and bulk have a queue each.",
  ),
  ASSAY_OUTPUTS_DAYS: setting(
    integer(1, 36_500),
    "30",
    "Days after which the outputs of a text are forgotten.",
  ),
  ASSAY_OUTPUTS_BYTES_MAX: setting(
    integer(2 ** 20, 2 ** 50),
    String(4 * 2 ** 30),
    "Estimated bytes of the outputs in the store; over it the oldest give way.",
  ),
  ASSAY_CLOSE_TIMEOUT_MS: setting(
    integer(0, 3_600_000),
    "30000",
    "Time to finish requests under way after SIGTERM or SIGINT.",
  ),
  ASSAY_LOG_LEVEL: setting(
    z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]),
    "info",
    "Least level that is logged.",
  ),
} as const;

type SettingName = keyof typeof SETTINGS;

/** Everything the process is told from outside. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly redisUrl: string | undefined;
  readonly modelsDir: string;
  readonly defaultModel: string;
  readonly pinnedModels: readonly string[];
  readonly weightsBytesMax: number;
  readonly precision: "fp32" | "int8";
  readonly devices: readonly DeviceChoice[];
  readonly sessions: number;
  readonly threadsPerSession: number;
  readonly apiKeys: readonly string[];
  readonly digestKey: Buffer | undefined;
  readonly limits: Limits;
  readonly queueTokensMax: number;
  readonly outputsTtlMs: number;
  readonly outputsBytesMax: number;
  readonly closeTimeoutMs: number;
  readonly logLevel: string;
}

/** A setting's flag: `ASSAY_DATA_DIR` → `data-dir`. */
export function flagOf(name: string): string {
  return name.slice("ASSAY_".length).toLowerCase().replaceAll("_", "-");
}

/**
 * Reads the configuration; `flags` (by flag name) win over `environment`. Throws `config_invalid` naming every fault: a bad
 * value, an unknown ASSAY_ name.
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>> = {},
): Config {
  const faults: { path: string; message: string }[] = [];
  for (const name of Object.keys(environment)) {
    if (name.startsWith("ASSAY_") && !(name in SETTINGS))
      faults.push({ path: name, message: "is not a setting of Assay" });
  }
  function value<T>(name: SettingName): T {
    const { type, preset } = SETTINGS[name];
    const text = flags[flagOf(name)] ?? environment[name] ?? preset;
    if (text === undefined) return undefined as T;
    const parsed = type.safeParse(text);
    if (parsed.success) return parsed.data as T;
    faults.push({ path: name, message: parsed.error.issues.map((issue) => issue.message).join("; ") });
    return undefined as T;
  }
  const digestKey = value<string | undefined>("ASSAY_DIGEST_KEY");
  const config: Config = {
    host: value("ASSAY_HOST"),
    port: value("ASSAY_PORT"),
    dataDir: value("ASSAY_DATA_DIR"),
    redisUrl: value("ASSAY_REDIS_URL"),
    modelsDir: value("ASSAY_MODELS_DIR"),
    defaultModel: value("ASSAY_DEFAULT_MODEL"),
    pinnedModels: value("ASSAY_PINNED_MODELS"),
    weightsBytesMax: value("ASSAY_WEIGHTS_BYTES_MAX"),
    precision: value("ASSAY_PRECISION"),
    devices: value("ASSAY_DEVICE"),
    ...shareCores(
      availableCores(),
      value<number | undefined>("ASSAY_SESSIONS"),
      value<number | undefined>("ASSAY_THREADS_PER_SESSION"),
    ),
    apiKeys: value("ASSAY_API_KEYS"),
    digestKey: digestKey === undefined ? undefined : Buffer.from(digestKey, "hex"),
    limits: {
      samplesMax: value("ASSAY_SAMPLES_MAX"),
      idsMax: value("ASSAY_IDS_MAX"),
      directionsMax: value("ASSAY_DIRECTIONS_MAX"),
      bodyBytesMax: value("ASSAY_BODY_BYTES_MAX"),
      bodiesBytesMax: value("ASSAY_BODIES_BYTES_MAX"),
      idBytesMax: value("ASSAY_ID_BYTES_MAX"),
      textCharsMax: value("ASSAY_TEXT_CHARS_MAX"),
    },
    queueTokensMax: value("ASSAY_QUEUE_TOKENS_MAX"),
    outputsTtlMs: value<number>("ASSAY_OUTPUTS_DAYS") * 86_400_000,
    outputsBytesMax: value("ASSAY_OUTPUTS_BYTES_MAX"),
    closeTimeoutMs: value("ASSAY_CLOSE_TIMEOUT_MS"),
    logLevel: value("ASSAY_LOG_LEVEL"),
  };
  if (faults.length === 0) {
    if (config.apiKeys.some((key) => key.length < 16)) {
      faults.push({ path: "ASSAY_API_KEYS", message: "holds a key shorter than 16 characters" });
    }
  }
  if (faults.length > 0) {
    throw new AssayError("config_invalid", {
      detail: faults.map(({ path, message }) => `${path} ${message}`).join("\n"),
      faults,
    });
  }
  return config;
}

/** Throws `config_invalid` where the service would be open to other machines without a key. */
export function checkBind({ host, apiKeys }: Pick<Config, "host" | "apiKeys">): void {
  if (apiKeys.length > 0 || isLoopback(host)) return;
  const message = `${host} is not loopback: set ASSAY_API_KEYS, or listen on 127.0.0.1`;
  throw new AssayError("config_invalid", {
    detail: `ASSAY_HOST ${message}`,
    faults: [{ path: "ASSAY_HOST", message }],
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** docs/configuration.md: the settings as a table. */
export function configPage(): string {
  const intro = `# Configuration

Every setting is an environment variable or the same-named flag of \`assay serve\`; the flag wins. An unknown \`ASSAY_\` name or a
bad value stops the start. This page is made by \`npm run generate\` from \`src/config.ts\`.
`;
  return `${intro}\n${configTable()}`;
}

/** The settings as a Markdown table. */
function configTable(): string {
  const rows = Object.entries<Setting<unknown>>(SETTINGS).map(([name, { preset, presetText, help }]) => {
    const shown = presetText ?? (preset === undefined || preset === "" ? "" : `\`${preset}\``);
    return `| \`${name}\` | \`--${flagOf(name)}\` | ${shown} | ${help} |`;
  });
  return ["| environment | flag | default | meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}
