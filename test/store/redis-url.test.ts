import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.js";
import { parseRedisUrl } from "../../src/store/redis/location.js";

describe("the URL of Redis", () => {
  it.each([
    ["redis://h", { host: "h", port: 6379 }, 0, "assay"],
    ["redis://h:7/", { host: "h", port: 7 }, 0, "assay"],
    ["redis://h/12?prefix=a:b", { host: "h", port: 6379 }, 12, "a:b"],
    ["redis://:p@h", { host: "h", port: 6379, password: "p" }, 0, "assay"],
    ["redis://u:p@h", { host: "h", port: 6379, username: "u", password: "p" }, 0, "assay"],
    [
      "redis://u:%2F%3F%23%40%25:@h/1",
      { host: "h", port: 6379, username: "u", password: "/?#@%:" },
      1,
      "assay",
    ],
    ["redis://u:a@b@h", { host: "h", port: 6379, username: "u", password: "a@b" }, 0, "assay"],
    ["redis://[::1]:7", { host: "::1", port: 7 }, 0, "assay"],
    ["rediss://h", { host: "h", port: 6379, tls: { servername: "h" } }, 0, "assay"],
    ["rediss://127.0.0.1", { host: "127.0.0.1", port: 6379, tls: {} }, 0, "assay"],
    ["rediss://[::1]", { host: "::1", port: 6379, tls: {} }, 0, "assay"],
  ])("is read: %s", (text, connection, database, prefix) => {
    expect(parseRedisUrl(text)).toEqual({ connection, database, prefix, cluster: false });
  });

  it("says that the server is one of a cluster, which has no numbered databases", () => {
    expect(parseRedisUrl("redis://h?cluster=true&prefix=p")).toMatchObject({ cluster: true, prefix: "p" });
    expect(parseRedisUrl("redis://h/0?cluster=true")).toMatchObject({ cluster: true, prefix: "assay" });
    expect(parseRedisUrl("redis://h/3?cluster=false")).toMatchObject({ cluster: false, database: 3 });
  });

  it.each([
    ["redis://u:secret@h/1?cluster=true", /must not name a database/],
    ["redis://u:secret@h?cluster=yes", /cluster=true or cluster=false/],
    ["redis://u:secret@h?cluster=true&cluster=true", /only the parameters/],
    ["secret", /redis:\/\//],
    ["http://secret@h", /redis:\/\//],
    ["redis://u:x#secret@h", /%23/],
    ["redis://u:x?secret@h", /%3F/],
    ["redis://u:x/secret@h", /%2F/],
    ["redis://u:1#secret@h", /%23/],
    ["redis://u:1?secret@h", /%3F/],
    ["redis://u:1/secret@h", /%2F/],
    ["redis://u#secret:x@h", /%23/],
    ["redis://u:1#secret", /%23/],
    ["redis://:1?secret=1", /form/],
    ["redis://u:1?secret=1", /prefix/],
    ["redis://u:1/secret", /database/],
    ["redis://u:secret%@h", /percent-encoded/],
    ["redis://secret%zz:x@h", /percent-encoded/],
    ["redis://u:sec\tret@h", /tab/],
    ["redis://u:sec\nret@h", /line end/],
    ["redis://u:secret@", /form/],
    ["redis://u:secret@h:0", /port/],
    ["redis://u:secret@h:99999", /form/],
    ["redis://u:secret@h/abc", /database/],
    ["redis://u:secret@h/-1", /database/],
    ["redis://u:secret@h/1/2", /database/],
    ["redis://u:secret@h/1.5", /database/],
    ["redis://u:secret@h/123456", /database/],
    ["redis://u:secret@h?db=1", /path/],
    ["redis://u:secret@h?family=6", /prefix/],
    ["redis://u:secret@h?prefix=a&prefix=b", /only the parameters prefix and cluster/],
    ["redis://u:secret@h?prefix=", /prefix/],
    ["redis://u:secret@h?prefix=a{b", /prefix/],
  ])("is refused in words and without a part of it: %j", (text, words) => {
    const refusals = [() => parseRedisUrl(text), () => readConfig({ ASSAY_REDIS_URL: text })].map(thrownBy);
    expect(refusals).toEqual([
      expect.objectContaining({ code: "config_invalid", message: expect.stringMatching(words) }),
      expect.objectContaining({
        code: "config_invalid",
        message: expect.stringMatching(/^ASSAY_REDIS_URL /),
      }),
    ]);
    expect(inspect(refusals, { depth: null })).not.toMatch(/secret|\bsec\b|\bret\b/);
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    // The stack of a test names the test with its URL.
    if (error instanceof Error) error.stack = error.message;
    return error;
  }
}
