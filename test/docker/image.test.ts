import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { checkBind, readConfig, SETTINGS } from "../../src/config.js";
import { copiesOf, environmentOf } from "./dockerfile.js";
import { CPU, CUDA, ROOT, readText } from "./repository.js";

describe(".dockerignore", () => {
  it("lets through what the Dockerfiles copy, and no more", () => {
    const [first, ...rest] = readText(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(first).toBe("*");
    const sent = rest.map((line) => /^!(.+)$/.exec(line)?.[1] as string);
    const sources = [CPU, CUDA]
      .flatMap(({ stages }) => stages.flatMap(copiesOf))
      .flatMap((copy) => (copy.from === undefined ? copy.sources : []));
    for (const source of sources) expect(existsSync(join(ROOT, source)), source).toBe(true);
    expect(new Set(sources)).toEqual(new Set(sent));
  });
});

describe.each([CPU, CUDA])("$path", ({ path, stages, image }) => {
  it("copies from stages that stand before", () => {
    stages.forEach((stage, index) => {
      const before = stages.slice(0, index).map(({ name }) => name);
      for (const { from } of copiesOf(stage)) if (from !== undefined) expect(before).toContain(from);
    });
  });

  it("names only settings that there are, and refuses to start without keys", () => {
    const environment = environmentOf(image);
    expect(Object.keys(environment)).toContain("ASSAY_HOST");
    expect(unknownSettings(readText(path))).toEqual([]);
    expect(() => checkBind(readConfig(environment))).toThrow(/set ASSAY_API_KEYS/);
    expect(() =>
      checkBind(readConfig({ ...environment, ASSAY_API_KEYS: "sixteen-characters" })),
    ).not.toThrow();
  });

  it("exposes the preset port and keeps its data in the volume that the user of the image owns", () => {
    const of = (name: string) => image.instructions.find((instruction) => instruction.name === name)?.rest;
    expect(of("EXPOSE")).toBe(SETTINGS.ASSAY_PORT.preset);
    expect(of("VOLUME")).toBe(environmentOf(image).ASSAY_DATA_DIR);
    expect(of("RUN")).toBe(`install -d -o node -g node ${of("VOLUME")}`);
    expect(of("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });
});

describe("docker/Dockerfile.cuda", () => {
  const added = CUDA.image.instructions.filter(
    ({ rest }) => rest.startsWith("--from=cuda ") || rest.startsWith("LD_LIBRARY_PATH="),
  );

  it("is the CPU image with NVIDIA's libraries added", () => {
    const [build, dependencies, ...others] = CUDA.stages;
    expect([build, dependencies]).toEqual(CPU.stages.slice(0, 2));
    expect(others.map(({ name }) => name)).toEqual(["cuda", CUDA.image.name]);
    expect(added).toHaveLength(3);
    expect(CUDA.image.instructions.filter((instruction) => !added.includes(instruction))).toEqual(
      CPU.image.instructions,
    );
  });

  it("pins each library by version and digest, the provider to the version of onnxruntime-node", () => {
    const pins = readText("docker/cuda-libraries.txt")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    for (const pin of pins) expect(pin).toMatch(/^[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$/);
    const { dependencies } = z
      .object({ dependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readText("package.json")));
    expect(pins[0]).toMatch(`onnxruntime-gpu==${dependencies["onnxruntime-node"]} `);
  });

  it("lays the provider beside ONNX Runtime and CUDA where the loader looks", () => {
    const [provider, libraries] = copiesOf(CUDA.image).filter(({ from }) => from === "cuda");
    const folder = provider?.target as string;
    expect(existsSync(join(ROOT, folder, "onnxruntime_binding.node"))).toBe(true);
    expect(libraries?.target).toBe(`${environmentOf(CUDA.image).LD_LIBRARY_PATH}/`);
  });
});

describe("docker/compose.cuda.yaml", () => {
  it("builds the CUDA image for the service of compose.yaml and reserves a GPU, and nothing else", () => {
    expect(parse(readText("docker/compose.cuda.yaml"))).toEqual({
      services: {
        assay: {
          image: "assay-cuda",
          build: { dockerfile: CUDA.path },
          deploy: {
            resources: { reservations: { devices: [{ driver: "nvidia", count: 1, capabilities: ["gpu"] }] } },
          },
        },
      },
    });
  });
});

describe("docker/compose.yaml", () => {
  const service = z.object({
    build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
    environment: z.record(z.string(), z.string()).optional(),
    command: z.array(z.string()).optional(),
    ports: z.array(z.string()).optional(),
    volumes: z.array(z.string()),
    depends_on: z.record(z.string(), z.object({ condition: z.literal("service_healthy") })).optional(),
    healthcheck: z.object({ test: z.array(z.string()).min(2) }),
    stop_grace_period: z.string().optional(),
  });
  const { services, volumes } = z
    .object({
      services: z.object({ assay: service, redis: service }).strict(),
      volumes: z.record(z.string(), z.null()),
    })
    .parse(parse(readText("docker/compose.yaml")));

  it("builds the Dockerfile at the repository's root", () => {
    expect(services.assay.build).toEqual({ context: "..", dockerfile: "docker/Dockerfile" });
  });

  it("names only settings that there are, and demands the keys", () => {
    const environment = services.assay.environment ?? {};
    expect(unknownSettings(readText("docker/compose.yaml"))).toEqual([]);
    expect(environment.ASSAY_API_KEYS).toMatch(/^\$\{ASSAY_API_KEYS:\?.+\}$/);
    const given = { ...environmentOf(CPU.image), ...environment, ASSAY_API_KEYS: "sixteen-characters" };
    expect(readConfig(given).redisUrl).toBe("redis://redis:6379/0");
  });

  it("publishes the preset port on loopback alone, and Redis not at all", () => {
    const port = SETTINGS.ASSAY_PORT.preset;
    expect(services.assay.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(services.redis.ports).toBeUndefined();
  });

  it("starts Redis so that it keeps what it acknowledged, before the service", () => {
    const options = services.redis.command?.slice(1).join(" ");
    expect(options).toBe("--appendonly yes --appendfsync always --maxmemory-policy noeviction");
    expect(Object.keys(services.assay.depends_on ?? {})).toEqual(["redis"]);
  });

  it("mounts named volumes, one where the image keeps its data", () => {
    const mounts = [services.assay, services.redis].flatMap((of) =>
      of.volumes.map((mount) => mount.split(":")),
    );
    expect(mounts.map(([name]) => name)).toEqual(Object.keys(volumes));
    expect(mounts[0]?.[1]).toBe(environmentOf(CPU.image).ASSAY_DATA_DIR);
  });

  it("gives requests under way more time to finish than the service takes", () => {
    const seconds = Number(/^(\d+)s$/.exec(services.assay.stop_grace_period ?? "")?.[1]);
    expect(seconds * 1000).toBeGreaterThan(Number(SETTINGS.ASSAY_CLOSE_TIMEOUT_MS.preset));
  });
});

describe("docker/probe.mjs", () => {
  it("exits 1 with the reason where nothing answers", () => {
    const ran = spawnSync(process.execPath, [join(ROOT, "docker/probe.mjs"), "/healthz"], {
      env: { ...process.env, ASSAY_PORT: "9" },
      encoding: "utf8",
    });
    expect(ran.status).toBe(1);
    expect(ran.stderr).not.toBe("");
  });
});

/** The ASSAY_ names in a text that are no setting. */
function unknownSettings(text: string): string[] {
  return [...new Set(text.match(/ASSAY_[A-Z_]+/g))].filter((name) => !(name in SETTINGS));
}
