import { describe, expect, it } from "vitest";
import { createClient } from "../../dashboard/src/api/client.js";

const { signal } = new AbortController();

/** A client whose requests go to `answer`; `seen` has what was sent. */
function clientOf(answer: () => Response | Promise<Response>, key = "") {
  const seen: { url: string; init: RequestInit | undefined }[] = [];
  const client = createClient("http://host/below/", key, async (url, init) => {
    seen.push({ url: String(url), init });
    return answer();
  });
  return { client, seen };
}

describe("the dashboard's client", () => {
  it("sends its key, and asks beside the page, also below a path", async () => {
    const { client, seen } = clientOf(() => Response.json({ models: [] }), "the-key");
    expect(await client.read("v1/models", signal)).toEqual({ models: [] });
    expect(seen[0]?.url).toBe("http://host/below/v1/models");
    expect(new Headers(seen[0]?.init?.headers).get("authorization")).toBe("Bearer the-key");
  });

  it("sends no authorization without a key", async () => {
    const { client, seen } = clientOf(() => Response.json({}));
    await client.post("v1/score", { samples: [] }, signal);
    expect(new Headers(seen[0]?.init?.headers).has("authorization")).toBe(false);
    expect(seen[0]?.init?.body).toBe('{"samples":[]}');
  });

  it("says what the service says is wrong", async () => {
    const problem = { title: "T", detail: "Fix it", code: "c", faults: [{ path: "/a", message: "is odd" }] };
    const { client } = clientOf(() => Response.json(problem, { status: 422 }));
    await expect(client.read("v1/models", signal)).rejects.toMatchObject({
      message: "Fix it",
      status: 422,
      code: "c",
      faults: ["/a is odd"],
    });
  });

  it("says the status where a proxy answers a page of its own", async () => {
    const { client } = clientOf(() => new Response("<html>", { status: 502 }));
    await expect(client.read("v1/models", signal)).rejects.toThrow("The service answered with status 502");
  });

  it("takes a status that it was told to take", async () => {
    const { client } = clientOf(() => Response.json({ ready: false }, { status: 503 }));
    expect(await client.read("readyz", signal, [503])).toEqual({ ready: false });
    await expect(client.read("readyz", signal)).rejects.toThrow("503");
  });

  it("says that nothing answers", async () => {
    const { client } = clientOf(() => Promise.reject(new TypeError("fetch failed")));
    await expect(client.read("readyz", signal)).rejects.toThrow("The service does not answer");
  });
});
