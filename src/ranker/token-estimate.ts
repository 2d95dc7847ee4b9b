import type { Text } from "./port.js";

/** Estimates how many tokens a text will have before the tokenizer has counted them. */
export interface TokenEstimate {
  of(text: Text): number;
  /** Takes the counts of texts that the tokenizer has not cut. */
  learn(characters: number, tokens: number): void;
}

/** Tokens per character before any count: those of English in WordPiece. Counts adapt it to other scripts. */
const TOKENS_PER_CHARACTER = 0.25;

/** After this many characters the counts are halved, so that the estimate adapts to another language. */
const CHARACTERS_MAX = 1_000_000;

/** Special tokens of a pair. */
const SPECIALS = 3;

/** `tokensMax`: the model cuts texts to this many tokens. */
export function createTokenEstimate(tokensMax: number): TokenEstimate {
  let characters = 1000;
  let tokens = characters * TOKENS_PER_CHARACTER;
  return {
    of(text) {
      return Math.min(tokensMax, SPECIALS + charactersOf(text) * (tokens / characters));
    },
    learn(moreCharacters, moreTokens) {
      characters += moreCharacters;
      tokens += moreTokens;
      if (characters <= CHARACTERS_MAX) return;
      characters /= 2;
      tokens /= 2;
    },
  };
}

export function charactersOf({ first, second }: Text): number {
  return first.length + (second?.length ?? 0);
}
