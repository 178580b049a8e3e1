import type { Engine } from '../../../node/engine/index.ts'
import type { Prompt } from './target.ts'

/**
 * Prompts without a common beginning, so that a prefix cache helps no target.
 *
 * @param length tokens of each prompt
 */
export async function* distinctPrompts(engine: Engine, length: number): AsyncGenerator<Prompt, never, undefined> {
  for (let index = 0; ; index++) {
    let text = `${index} `
    let tokens = await engine.tokenize({ prompt: text })
    for (let word = index; tokens.length < length; word++) {
      // Whole words first, single letters near the end: a letter adds at most one token.
      text += tokens.length < length - 16 ? `${WORDS[word % WORDS.length]} ` : String.fromCharCode(97 + (word % 26))
      tokens = await engine.tokenize({ prompt: text })
    }
    if (tokens.length === length) yield { text, tokens }
  }
}

export const WORDS: readonly string[] = [
  'once',
  'there',
  'was',
  'a',
  'fox',
  'who',
  'lived',
  'near',
  'the',
  'river',
  'and',
  'told',
  'stories'
]
