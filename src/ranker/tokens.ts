import { checkDigest } from "./digests.js";
import { TOKENISER_FILE } from "./manifest.js";
import type { ModelFolder } from "./model-folder.js";
import type { PlacedToken, Text, Token } from "./port.js";
import { readTokenizerFile } from "./tokenizer-file.js";
import { longestFirst } from "./truncate.js";

/**
 * Reads the folder's tokenizer for `Ranker.tokens`, which is rarely asked: each text is tokenised whole. The engine process keeps
 * a tokenizer of its own, which is fast. Throws `model_invalid` if the file does not match its digest.
 */
export async function openTokens(folder: ModelFolder): Promise<(text: Text) => Promise<readonly Token[]>> {
  await checkDigest(folder, TOKENISER_FILE);
  const { encodePlaced } = await readTokenizerFile(folder.directory);
  const { pair, max_tokens: tokensMax } = folder.manifest;

  return async ({ first, second }) => {
    const elements = second === null ? pair.single : pair.pair;
    const room = tokensMax - elements.filter((element) => typeof element === "number").length;
    const a = await encodePlaced(first);
    const b = second === null ? [] : await encodePlaced(second);
    const [keptA, keptB] = longestFirst(a.length, b.length, room);
    return elements.flatMap((element): Token[] => {
      if (typeof element === "number") return [{ id: element, part: null }];
      return element === "A" ? placed(a, keptA, "first") : placed(b, keptB, "second");
    });
  };
}

function placed(
  tokens: readonly Omit<PlacedToken, "part">[],
  kept: number,
  part: PlacedToken["part"],
): PlacedToken[] {
  return tokens.slice(0, kept).map((token) => ({ ...token, part }));
}
