import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** The pairs of a JSONL file, and what the results say of them. Throws where a line lacks query or document. */
export async function readPairs(path, pairsMax = Number.POSITIVE_INFINITY) {
  const text = await readFile(path, "utf8");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const pairs = lines.slice(0, pairsMax).map((line, index) => {
    const { id, query, document, label } = JSON.parse(line);
    if (typeof query !== "string" || typeof document !== "string")
      throw new Error(`${path}:${index + 1}: needs query and document`);
    return { id: id ?? `pair:${index}`, query, document, label: label ?? index % 2 };
  });
  return { pairs, sha256: createHash("sha256").update(text).digest("hex") };
}

/**
 * Makes pairs that no cache has seen and that cost the model exactly the same: white space behind the document spells a
 * number in binary, another for every pair. The tokenizer drops it, the cache's key does not. Throws where a tokenizer keeps it.
 */
export async function createFreshener(tokenise, [first]) {
  let made = 0;
  const freshen = (pair) => {
    made += 1;
    const suffix = made.toString(2).replaceAll("0", " ").replaceAll("1", "\t");
    return { ...pair, document: pair.document + suffix };
  };
  const spelled = { ...first, document: `${first.document} \t\t ` };
  const [before, after] = await tokenise([first, spelled].map(textOf));
  if (before.ids.join() !== after.ids.join())
    throw new Error("this tokenizer keeps trailing white space: no fresh pairs");
  return (pairs) => pairs.map(freshen);
}

export const textOf = ({ query, document }) => ({ first: query, second: document });

export function chunksOf(items, size) {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, c) =>
    items.slice(c * size, (c + 1) * size),
  );
}

/** A pair of exactly `tokens` tokens, special ones included, of words from the data. */
export async function pairOfTokens(pairs, tokenise, tokens, seed) {
  const { query } = pairs[seed % pairs.length];
  const count = async (words) => (await tokenise([{ first: query, second: words.join(" ") }]))[0].ids.length;
  const words = [];
  for (let at = seed; (await count(words)) < tokens; at++)
    words.push(...pairs[at % pairs.length].document.split(/\s+/));
  while (words.length > 0 && (await count(words)) > tokens) words.pop();
  while ((await count(words)) < tokens) words.push("a");
  if ((await count(words)) !== tokens) throw new Error(`a query alone has more than ${tokens} tokens`);
  return { id: `length:${tokens}:${seed}`, query, document: words.join(" "), label: seed % 2 };
}
