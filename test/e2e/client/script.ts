/** The node's side of one request, which a test writes by hand. All answers have the same prompt tokens. */
import type { PrivateKey } from '@libp2p/interface'
import {
  contentDigest,
  decodeClientFrame,
  type FrameStream,
  type GenerateRequest,
  type PartialReceipt
} from '@potluck/protocol'

import { AnswerStream, WAIT, type AnswerEnd } from '../../peers/answer-stream.ts'

export const PROMPT_TOKENS: readonly number[] = [1, 2, 3]

/** The text of each token that any node has sent. A node that continues an answer knows it from the model. */
const TEXTS = new Map<number, string>()

export class Script extends AnswerStream {
  constructor(frames: FrameStream, received: { request: GenerateRequest; digest: Uint8Array }, key: PrivateKey) {
    super(frames, received, key, PROMPT_TOKENS)
  }

  /** @param margin of every token of an earlier node that the client asks to check */
  async accept(estimatedWaitMs = 0, margin = 0): Promise<void> {
    await this.sendAccepted(PROMPT_TOKENS, estimatedWaitMs)
    await this.checked(margin)
  }

  /** @param changes to what the node signs in a delta that completes a window; false: it signs nothing */
  async delta(
    text: string,
    tokens: readonly number[] = [this.answer.length + 10],
    changes: Partial<PartialReceipt> | false = {}
  ): Promise<void> {
    tokens.forEach((token, index) => TEXTS.set(token, index === 0 ? text : ''))
    await this.sendDelta(tokens, text, changes)
  }

  /** Returns the tokens that the next credit frame grants. */
  async credit(): Promise<number> {
    const bytes = await this.frames.receive(WAIT)
    if (bytes === undefined) throw new Error('the client ended its side of the stream')
    const frame = decodeClientFrame(bytes)
    return frame.type === 'credit' ? frame.tokens : 0
  }

  /** Ends the answer as an honest node does, or with these changes. */
  async done({ receipt = {}, ...end }: AnswerEnd = {}): Promise<void> {
    const earlier = this.request.continuation === undefined ? {} : { earlierContentDigest: this.#earlierContent() }
    await this.sendDone({ ...end, receipt: { ...earlier, ...receipt } })
  }

  #earlierContent(): Uint8Array {
    const earlier = this.request.continuation?.answerTokens ?? []
    return contentDigest({ text: earlier.map((token) => TEXTS.get(token) ?? '').join('') })
  }
}

/** An honest node's answer of two tokens. */
export async function sayHello(script: Script): Promise<void> {
  await script.accept()
  await script.delta('Hel')
  await script.delta('lo')
  await script.done()
}
