/** Interrupts a node in the middle of its answer, and measures what the reader sees. */
import { PotluckError, type ErrorCode } from '@potluck/protocol'
import type { Answer, AnswerPart, AnswerResult, ChatOptions, Client } from '@potluck/client'
import type { Fleet, Member } from '../fleet.ts'

export interface Interruption {
  /** Undefined if the answer failed; `failure` has the code. */
  result: AnswerResult | undefined
  failure?: ErrorCode
  /** The interrupted node. Undefined if the answer ended before the interruption. */
  node: Member | undefined
  /**
   * Milliseconds from the last tokens of the interrupted node to the first tokens of the node that continued. Undefined
   * if the interrupted node had already sent the whole answer.
   */
  gapMs: number | undefined
}

export interface InterruptOptions {
  fleet: Pick<Fleet, 'nodes'>
  /** Number of answer tokens after which the node is interrupted. */
  afterTokens: number
  interrupt: (node: Member) => void
  onPart?: (part: AnswerPart) => void
}

/** Reads the answer to its end, and interrupts the answering node after `afterTokens` tokens. */
export async function interruptAnswer(
  answer: Answer,
  { fleet, afterTokens, interrupt, onPart }: InterruptOptions
): Promise<Interruption> {
  let peer = ''
  let tokens = 0
  let lastAt = 0
  let node: Member | undefined
  let gapMs: number | undefined
  try {
    for await (const part of answer) {
      onPart?.(part)
      if (part.type === 'accepted') peer = part.peerId
      if (part.type !== 'delta') continue
      const now = performance.now()
      if (node !== undefined && gapMs === undefined && peer !== node.peerId) gapMs = now - lastAt
      lastAt = now
      tokens += part.tokens.length
      if (node === undefined && tokens >= afterTokens) {
        node = fleet.nodes.findLast(({ peerId }) => peerId === peer)
        if (node === undefined) throw new Error('A node outside the fleet answered.')
        interrupt(node)
      }
    }
    return { result: await answer.result(), gapMs, node }
  } catch (error) {
    if (!(error instanceof PotluckError)) throw error
    return { result: undefined, failure: error.code, gapMs, node }
  }
}

/**
 * Adds a bias against the end-of-turn token, so that the answer runs to its token limit. Sends one request to learn the
 * id of this token.
 */
export async function withoutEndOfTurn(client: Client, input: ChatOptions): Promise<ChatOptions> {
  const { tokens } = await client.chat({ ...input, seed: 0n, temperature: 0 }).result()
  const endOfTurn = tokens.at(-1)
  if (endOfTurn === undefined) throw new Error('The model gave an empty answer.')
  return { ...input, logitBias: new Map([[endOfTurn, -100]]) }
}

/** Whether both answers have the same tokens and the same text. */
export function isSameAnswer(a: AnswerResult, b: AnswerResult): boolean {
  return a.text === b.text && a.tokens.join() === b.tokens.join()
}
