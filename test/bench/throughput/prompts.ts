import type { Engine } from '../../../node/engine/index.ts'
import type { Prompt } from './contender.ts'

/**
 * Prompts that share no beginning, so that no cache helps anybody.
 *
 * @param length tokens of each
 */
export async function* distinctPrompts(engine: Engine, length: number): AsyncGenerator<Prompt, never, undefined> {
  for (let index = 0; ; index++) {
    let text = `${index} `
    let tokens = await engine.tokenize({ prompt: text })
    for (let word = index; tokens.length < length; word++) {
      // Words far from the end, then letter by letter: a letter adds one token or none.
      text += tokens.length < length - 16 ? `${WORDS[word % WORDS.length]} ` : String.fromCharCode(97 + (word % 26))
      tokens = await engine.tokenize({ prompt: text })
    }
    if (tokens.length === length) yield { text, tokens }
  }
}

const WORDS = ['once', 'there', 'was', 'a', 'fox', 'who', 'lived', 'near', 'the', 'river', 'and', 'told', 'stories']
