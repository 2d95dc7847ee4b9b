import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const pages = execFileSync("git", ["ls-files", "*.md"], { cwd: ROOT, encoding: "utf8" }).trim().split("\n");

function read(page: string): string {
  return readFileSync(join(ROOT, page), "utf8").replace(/^```[\s\S]*?^```/gm, "");
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{Pc} -]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("the documentation", () => {
  it.each(pages)("links only to files and headings that exist: %s", (page) => {
    const broken = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].filter(
      ([, path, anchor]) => {
        const target = path === "" ? page : join(dirname(page), path as string);
        if (!existsSync(join(ROOT, target))) return true;
        if (anchor === undefined) return false;
        return statSync(join(ROOT, target)).isDirectory() || !anchorsOf(target).has(anchor);
      },
    );
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it("has a front page that leads to every other page of docs/", () => {
    const front = read("docs/README.md");
    const others = pages.filter((page) => /^docs\/(?!README)[^/]*\.md$/.test(page));
    expect(others.filter((page) => !front.includes(`](${page.slice("docs/".length)}`))).toEqual([]);
  });
});
