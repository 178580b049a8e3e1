import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { begin, offeredTools, tokensDigest, type GrammarNode, type OutputConstraint } from '@potluck/protocol'
import { GRAMMARS_KEPT } from '../constants.ts'
import { Masks } from '../grammar/masks.ts'
import { TokenSet } from '../grammar/token-set.ts'
import { TokenTries } from '../grammar/token-tries.ts'
import type { Vocabulary } from '../vocabulary.ts'
import { reasoningOf, type ChatFormat } from './chat-format.ts'
import { GrammarState, type LeastTokens } from './grammar-state.ts'
import { AnswerParser } from './parser.ts'
import type { Parser } from './answer-parts.ts'
import { ChannelParser } from './channel-parser.ts'
import { isTextArgument } from './tagged-arguments.ts'
import { requestGrammar } from './request-grammar.ts'

/** The values from which the ids of tool calls are computed. They are the same on every node that resumes an answer. */
export interface CallContext {
  promptTokens: readonly number[]
  seed: bigint
}

/** Turns a request's output constraint into the grammar and the parser of its answer, for one model. */
export class ConstraintCompiler {
  readonly #vocabulary: Vocabulary
  readonly #format: ChatFormat
  /** The key is the constraint as JSON. `root` is undefined for plain text. */
  readonly #grammars = new LRUCache<string, { root: GrammarNode | undefined }>({ max: GRAMMARS_KEPT })
  readonly #tries: TokenTries
  readonly #masks: Masks
  #every: TokenSet | undefined

  constructor(vocabulary: Vocabulary, format: ChatFormat) {
    this.#vocabulary = vocabulary
    this.#format = format
    this.#tries = new TokenTries(vocabulary)
    this.#masks = new Masks(this.#tries)
  }

  /** Whether the tokens can spell every document. Otherwise a grammar can reach a state without any allowed token. */
  get canEnforce(): boolean {
    return this.#tries.spellsAnything
  }

  /** Returns the grammar at the start of an answer; undefined if the constraint allows any text of any length. */
  grammar(constraint: OutputConstraint | undefined): GrammarState | undefined {
    if (constraint === undefined) return undefined
    const { minTokens = 0, stopTokens = [], ...form } = constraint
    const root = this.#rootOf(form)
    if (root === undefined && minTokens === 0) return undefined
    const ways = root === undefined ? 'any' : begin(root)
    const least = minTokens === 0 ? undefined : this.#leastTokens(minTokens, stopTokens)
    return new GrammarState(ways, this.#vocabulary, this.#masks, least)
  }

  #leastTokens(count: number, stopTokens: readonly number[]): LeastTokens {
    const { size } = this.#vocabulary
    this.#every ??= everyToken(size)
    const ends = [...(this.#tries.ends.few(size) ?? []), ...stopTokens]
    return { count, ends, others: this.#every.without(ends) }
  }

  /** Returns the parser at the start of an answer; undefined if the whole answer is text. */
  parser(constraint: OutputConstraint | undefined, context: CallContext): Parser | undefined {
    if (constraint === undefined) return undefined
    const { calls } = this.#format
    const reasoning = reasoningOf(this.#format, constraint)
    const tools = new Map(offeredTools(constraint).map((tool) => [tool.name, tool]))
    const offered = tools.size > 0
    if (this.#format.channels === true && constraint.chat) {
      return new ChannelParser({ calls: offered, callId: (index) => callId(context, index) })
    }
    const reasons = constraint.chat && reasoning !== undefined
    if (!offered && !reasons) return undefined
    return new AnswerParser({
      ...(offered ? { calls } : {}),
      ...(reasons ? { reasoning } : {}),
      callId: (index) => callId(context, index),
      isText: (tool, key) => isTextArgument(tools.get(tool), key)
    })
  }

  #rootOf(constraint: OutputConstraint): GrammarNode | undefined {
    const key = JSON.stringify(constraint)
    const known = this.#grammars.get(key)
    if (known !== undefined) return known.root
    const root = requestGrammar(constraint, this.#format)
    this.#grammars.set(key, { root })
    return root
  }
}

function everyToken(size: number): TokenSet {
  const every = new TokenSet(size)
  for (let token = 0; token < size; token++) every.add(token)
  return every
}

/** Returns an id that differs in every turn of a conversation. It is not secret. */
function callId({ promptTokens, seed }: CallContext, index: number): string {
  const hash = createHash('sha256').update(tokensDigest(promptTokens)).update(`${seed}/${index}`)
  return `call_${hash.digest('hex').slice(0, 24)}`
}
