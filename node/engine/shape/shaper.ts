/** What a request's shape means for the model at hand: the grammar of its answer, and how it is parted. */
import { createHash } from 'node:crypto'
import { offeredTools, tokensDigest, type AnswerShape, type Node } from '@potluck/protocol'
import type { Vocabulary } from '../answer/vocabulary.ts'
import { GRAMMARS_KEPT } from '../constants.ts'
import { Lexicon } from '../grammar/lexicon.ts'
import { Masks } from '../grammar/masks.ts'
import { Constraint } from './constraint.ts'
import type { ChatFormat } from './format.ts'
import { grammarOf } from './grammar.ts'
import { AnswerParser } from './parser.ts'

/** What the ids of calls depend on: the same on every node that goes on with an answer. */
export interface CallContext {
  promptTokens: readonly number[]
  seed: bigint
}

export class Shaper {
  readonly #vocabulary: Vocabulary
  readonly #format: ChatFormat
  /** The least recently used first. */
  readonly #grammars = new Map<string, Node | undefined>()
  readonly #lexicon: Lexicon
  readonly #masks: Masks

  constructor(vocabulary: Vocabulary, format: ChatFormat) {
    this.#vocabulary = vocabulary
    this.#format = format
    this.#lexicon = new Lexicon(vocabulary)
    this.#masks = new Masks(this.#lexicon)
  }

  /** Whether the vocabulary can spell any document; otherwise a grammar might lead into a dead end. */
  get canEnforce(): boolean {
    return this.#lexicon.spellsAnything
  }

  /** Undefined where any text goes. */
  constraint(shape: AnswerShape | undefined): Constraint | undefined {
    if (shape === undefined) return undefined
    const grammar = this.#grammar(shape)
    if (grammar === undefined) return undefined
    return new Constraint(grammar, this.#vocabulary, this.#masks)
  }

  /** Undefined where all is text. */
  parser(shape: AnswerShape | undefined, context: CallContext): AnswerParser | undefined {
    if (shape === undefined) return undefined
    const { calls, reasoning } = this.#format
    const offered = offeredTools(shape).length > 0
    const reasons = shape.chat && reasoning !== undefined
    if (!offered && !reasons) return undefined
    return new AnswerParser({
      ...(offered ? { calls } : {}),
      ...(reasons ? { reasoning } : {}),
      callId: (index) => callId(context, index)
    })
  }

  #grammar(shape: AnswerShape): Node | undefined {
    const key = JSON.stringify(shape)
    const grammar = this.#grammars.has(key) ? this.#grammars.get(key) : grammarOf(shape, this.#format)
    this.#grammars.delete(key)
    this.#grammars.set(key, grammar)
    const oldest = this.#grammars.keys().next()
    if (this.#grammars.size > GRAMMARS_KEPT && !oldest.done) this.#grammars.delete(oldest.value)
    return grammar
  }
}

/** Different in every turn of a conversation, and no secret. */
function callId({ promptTokens, seed }: CallContext, index: number): string {
  const hash = createHash('sha256').update(tokensDigest(promptTokens)).update(`${seed}/${index}`)
  return `call_${hash.digest('hex').slice(0, 24)}`
}
