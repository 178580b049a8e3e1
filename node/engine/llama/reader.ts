/** What the engine's process does without the weights: it tokenises prompts and reads answers. */
import type { ParsedAnswer, PromptInput, ReadJob } from '@potluck/protocol'
import { readAnswer } from '../answer/read.ts'
import { checkPromptLength, checkTokens } from '../checks.ts'
import type { ReadModel } from './load.ts'

export class LlamaReader {
  readonly #read: ReadModel

  constructor(read: ReadModel) {
    this.#read = read
  }

  tokenize(input: PromptInput): Uint32Array {
    const tokens = this.#read.prompts.tokenize(input)
    checkPromptLength(tokens.length, this.#read.model.contextLength)
    return Uint32Array.from(tokens)
  }

  read(job: ReadJob): ParsedAnswer {
    checkTokens({ promptTokens: [], answerTokens: job.answerTokens }, this.#read.vocabulary.size)
    return readAnswer(job, this.#read.vocabulary, this.#read.compiler)
  }
}
