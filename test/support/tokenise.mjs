// Tokenises as the compiled service does, for a test that compares it with Hugging Face's libraries. Each line of standard input
// is {directory, pair, max_tokens, texts: [[first, second or null], …]}; the answer is a line {ids, type_ids, truncated}.
import { createInterface } from "node:readline";
import { loadTokeniser } from "../../dist/ranker/tokeniser.js";

const tokenisers = new Map();

function tokeniserOf({ directory, pair, max_tokens }) {
  const key = `${directory} ${max_tokens}`;
  if (!tokenisers.has(key)) {
    tokenisers.set(key, loadTokeniser({ directory, manifest: { pair, max_tokens } }));
  }
  return tokenisers.get(key);
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
  const request = JSON.parse(line);
  const tokenise = await tokeniserOf(request);
  const rows = await tokenise(request.texts.map(([first, second]) => ({ first, second })));
  const answer = {
    ids: rows.map(({ ids }) => [...ids]),
    type_ids: rows.map(({ typeIds }) => [...typeIds]),
    truncated: rows.map(({ truncated }) => truncated),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
