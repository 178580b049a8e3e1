/** An answer whose node falls out in the middle, and what its reader sees of that. */
import { PotluckError, type ErrorCode } from '@potluck/protocol'
import type { Answer, AnswerPart, AnswerResult, ChatOptions, Client } from '@potluck/client'
import type { Fleet, Member } from '../fleet.ts'

export interface Struck {
  /** Undefined: the answer failed, by `failure`. */
  result: AnswerResult | undefined
  failure?: ErrorCode
  /** The node that fell out; undefined where the answer was over before. */
  struck: Member | undefined
  /**
   * From the last tokens of the node that fell out to the first of the one that went on, milliseconds. Undefined
   * where everything had been sent before.
   */
  gapMs: number | undefined
}

export interface StrikeOptions {
  fleet: Pick<Fleet, 'nodes'>
  /** Tokens of the answer after which its node is struck. */
  cut: number
  strike: (node: Member) => void
  onPart?: (part: AnswerPart) => void
}

/** Reads an answer and strikes the node that gives it after so many tokens. */
export async function strikeAt(answer: Answer, { fleet, cut, strike, onPart }: StrikeOptions): Promise<Struck> {
  let peer = ''
  let tokens = 0
  let lastAt = 0
  let struck: Member | undefined
  let gapMs: number | undefined
  try {
    for await (const part of answer) {
      onPart?.(part)
      if (part.type === 'accepted') peer = part.peerId
      if (part.type !== 'delta') continue
      const now = performance.now()
      if (struck !== undefined && gapMs === undefined && peer !== struck.peerId) gapMs = now - lastAt
      lastAt = now
      tokens += part.tokens.length
      if (struck === undefined && tokens >= cut) {
        struck = fleet.nodes.findLast(({ peerId }) => peerId === peer)
        if (struck === undefined) throw new Error('the answer came from outside the fleet')
        strike(struck)
      }
    }
    return { result: await answer.result(), gapMs, struck }
  } catch (error) {
    if (!(error instanceof PotluckError)) throw error
    return { result: undefined, failure: error.code, gapMs, struck }
  }
}

/** Options under which the model goes on to the limit, so that a node can fall out in the middle of its answer. */
export async function endless(client: Client, input: ChatOptions): Promise<ChatOptions> {
  const { tokens } = await client.chat({ ...input, seed: 0n, temperature: 0 }).result()
  const endOfTurn = tokens.at(-1)
  if (endOfTurn === undefined) throw new Error('the model said nothing')
  return { ...input, logitBias: new Map([[endOfTurn, -100]]) }
}

/** Whether both are the same answer: token by token, and the text. */
export function isSameAnswer(a: AnswerResult, b: AnswerResult): boolean {
  return a.text === b.text && a.tokens.join() === b.tokens.join()
}
