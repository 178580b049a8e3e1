/** The made-up model of the scripted engine: a token for each byte, and logits by rule. */
import { CANDIDATES, offeredTools, type PromptInput } from '@potluck/protocol'
import type { PositionLogits } from '../answer/answer.ts'
import { pieceOf, type Vocabulary } from '../answer/vocabulary.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import { withoutTools } from '../shape/convention.ts'
import { GENERIC_CALLS } from '../shape/format.ts'
import { Shaper } from '../shape/shaper.ts'

const BEGIN = 256
const END = 257
const ROLES = { system: 258, user: 259, assistant: 260, tool: 261 } as const
export const VOCABULARY_SIZE = 262

/** How far the scripted token lies above all others: at any temperature in use it is certain. */
const CERTAIN = 1000
/** Begins a character of two bytes; each of the 64 continuation bytes completes it. */
const LEAD_BYTE = 0xc3
const BABBLE: readonly number[] = [
  ...Buffer.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,!?-\n'),
  LEAD_BYTE,
  END
]
const CONTINUATIONS: readonly number[] = Array.from({ length: CANDIDATES }, (_, index) => 0x80 + index)

const EVERY_TOKEN: readonly number[] = Array.from({ length: VOCABULARY_SIZE }, (_, token) => token)

export const vocabulary: Vocabulary = {
  size: VOCABULARY_SIZE,
  piece: (token) => pieceOf(token < BEGIN ? Uint8Array.of(token) : new Uint8Array()),
  isEnd: (token) => token === END
}

/** Calls tools by the generic convention. What babbles does not reason: it would not find the way back. */
export const babbleShaper: Shaper = new Shaper(vocabulary, { calls: GENERIC_CALLS })
/** For replies, which may hold reasoning. */
export const replyShaper: Shaper = new Shaper(vocabulary, {
  calls: GENERIC_CALLS,
  reasoning: { open: '<think>', close: '</think>', begun: false }
})

export function tokenize(input: PromptInput): number[] {
  if ('prompt' in input) return [BEGIN, ...Buffer.from(input.prompt)]
  const messages = withoutTools(input.messages, offeredTools(input))
  const turns = messages.flatMap(({ role, content }) => [ROLES[role], ...Buffer.from(content)])
  return [BEGIN, ...turns, ROLES.assistant]
}

/** The text of a prompt, without what marks its turns. */
export function promptText(tokens: readonly number[]): string {
  return Buffer.from(tokens.filter((token) => token < BEGIN)).toString()
}

/** Logits by which the answer is this text, whatever the seed, as far as it is allowed. */
export function certainLogits(text: string, position: number, allowed?: TokenSet): PositionLogits {
  const token = Buffer.from(text)[position] ?? END
  return ordered([...new Set([...BABBLE, token])], allowed, (other) => (other === token ? CERTAIN : 0))
}

/** Logits that depend on the last three tokens, so that every seed gives another text. */
export function babbleLogits(context: readonly number[], allowed?: TokenSet): PositionLogits {
  const [a = 0, b = 0, c = 0] = context.slice(-3)
  return ordered(c === LEAD_BYTE ? CONTINUATIONS : BABBLE, allowed, (token) =>
    token === END ? -4 : (mix(mix(mix(a, b), c), token) % 4096) / 1024
  )
}

/** @param usual the tokens to choose from, unless a grammar allows others */
function ordered(
  usual: readonly number[],
  allowed: TokenSet | undefined,
  logitOf: (token: number) => number
): PositionLogits {
  const tokens = allowed === undefined ? usual : EVERY_TOKEN.filter((token) => allowed.has(token))
  const sorted = tokens
    .map((token) => ({ token, logit: logitOf(token) }))
    .toSorted((a, b) => b.logit - a.logit || a.token - b.token)
    .slice(0, CANDIDATES)
  const logits = Float32Array.from(sorted, ({ logit }) => logit)
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - logits[0]!), 0)
  return { tokens: Uint32Array.from(sorted, ({ token }) => token), logits, logNormaliser: logits[0]! + Math.log(sum) }
}

/** A hash with no meaning but to be the same everywhere. */
function mix(a: number, b: number): number {
  const hash = Math.imul((a ^ (b + 0x9e3779b9)) >>> 0, 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
