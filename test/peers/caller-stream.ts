/** The caller's side of one request for an answer. A test or an attack sends and reads it frame by frame. */
import type { Connection } from '@libp2p/interface'
import {
  CREDIT_WINDOW,
  decodeNodeFrame,
  DEFAULT_SAMPLING,
  encodeCredit,
  encodeRequest,
  FrameStream,
  GENERATE_PROTOCOL,
  MAX_NODE_FRAME_BYTES,
  type GenerateRequest,
  type NodeFrame
} from '@potluck/protocol'

/** Far longer than a busy machine needs. */
const WAIT = { timeoutMs: 30_000, timeoutCode: 'token_timeout' } as const

/** A request for the model, with these changes. */
export function request(
  { model }: { model: { digest: Uint8Array } },
  changes: Partial<GenerateRequest> = {}
): GenerateRequest {
  return {
    requestId: crypto.getRandomValues(new Uint8Array(16)),
    modelDigest: model.digest,
    input: { prompt: 'hello' },
    sampling: { ...DEFAULT_SAMPLING, seed: 1n, temperature: 0 },
    maxTokens: 64,
    stop: [],
    credit: CREDIT_WINDOW,
    commitment: new Uint8Array(32),
    ...changes
  }
}

export class Call {
  readonly frames: FrameStream

  constructor(frames: FrameStream) {
    this.frames = frames
  }

  /** Opens a stream, and sends the request if one is given. */
  static async open(connection: Connection, asked?: GenerateRequest): Promise<Call> {
    const stream = await connection.newStream(GENERATE_PROTOCOL, {
      maxOutboundStreams: 10_000,
      runOnLimitedConnection: true
    })
    const call = new Call(new FrameStream(stream, { maxFrameBytes: MAX_NODE_FRAME_BYTES }))
    if (asked !== undefined) await call.frames.send(encodeRequest(asked).bytes, WAIT)
    return call
  }

  async credit(tokens: number): Promise<void> {
    await this.frames.send(encodeCredit(tokens), WAIT)
  }

  /** Returns the next frame that is no `progress`; undefined if the stream ended. */
  async next(): Promise<NodeFrame | undefined> {
    const bytes = await this.frames.receive(WAIT)
    if (bytes === undefined) return undefined
    const frame = decodeNodeFrame(bytes)
    // A node sends as many as its queue and its prompts take time.
    if (frame.type === 'progress') return await this.next()
    // A client also closes its side here, because it sends nothing more.
    if (frame.type === 'done' || frame.type === 'error') await this.frames.close()
    return frame
  }

  async expect<T extends NodeFrame['type']>(type: T): Promise<Extract<NodeFrame, { type: T }>> {
    const frame = await this.next()
    if (frame?.type !== type) {
      const got = frame?.type === 'error' ? `the error ${frame.code} ${frame.detail}` : frame?.type
      throw new Error(`expected ${type}, got ${got}`)
    }
    return frame as Extract<NodeFrame, { type: T }>
  }

  /** Returns the text and the tokens up to the terminal frame, and that frame. */
  async rest(): Promise<{ text: string; tokens: number[]; last: NodeFrame | undefined }> {
    let text = ''
    const tokens: number[] = []
    for (;;) {
      const frame = await this.next()
      if (frame?.type !== 'delta') return { text, tokens, last: frame }
      text += frame.delta.text
      tokens.push(...frame.delta.tokens)
    }
  }

  /** Reads the answer to its last frame, and returns it. */
  async last(): Promise<NodeFrame | undefined> {
    for (;;) {
      const frame = await this.next()
      if (frame?.type !== 'accepted' && frame?.type !== 'delta') return frame
    }
  }

  abort(): void {
    this.frames.abort(new Error('the caller cancels'))
  }
}
