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
      const left = length - 16 - tokens.length
      // Whole words first, many at a time, then single letters: a letter adds at most one token.
      for (let count = 0; count < left / MOST_PER_WORD; count++) text += `${WORDS[word++ % WORDS.length]} `
      if (left <= 0) text += String.fromCharCode(97 + (word % 26))
      tokens = await engine.tokenize({ prompt: text })
    }
    if (tokens.length === length) yield { text, tokens }
  }
}

/** Takes the next prompts. */
export async function take(prompts: AsyncGenerator<Prompt, never, undefined>, count: number): Promise<Prompt[]> {
  const taken: Prompt[] = []
  while (taken.length < count) taken.push((await prompts.next()).value)
  return taken
}

/** More tokens than any of the words has. */
const MOST_PER_WORD = 4

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
