import type { Text } from "./port.js";

/** Guesses how many tokens a text will have, before the tokenizer has counted. */
export interface TokenEstimate {
  of(text: Text): number;
  /** What the tokenizer found for texts that it did not cut. */
  learn(characters: number, tokens: number): void;
}

/** Tokens a character before anything was counted: English in WordPiece; other scripts are learned. */
const TOKENS_PER_CHARACTER = 0.25;

/** Characters after which half of what was learned is forgotten, so that another language is noticed. */
const CHARACTERS_MAX = 1_000_000;

/** Special tokens of a pair. */
const SPECIALS = 3;

/** `tokensMax` is where the model cuts. */
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
