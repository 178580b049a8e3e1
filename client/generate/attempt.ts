/**
 * One attempt at one node, over one stream:
 *
 * 1. dial: an open connection, or a new one, and the stream on it
 * 2. send the request
 * 3. admission: `accepted`, or an error in its place, which is a refusal
 * 4. first token: the prompt is evaluated, after the wait that `accepted` told
 * 5. tokens, each batch paid with credit when the caller has taken it
 * 6. the terminal frame, whose receipt and sums have to agree with what came before
 *
 * Each phase has a timeout and a code of its own. Whatever ends the attempt before its terminal
 * frame resets the stream, so that the node stops at once.
 */
import type { Connection, PeerId } from '@libp2p/interface'
import {
  CREDIT_BATCH,
  decodeNodeFrame,
  encodeCredit,
  encodeRequest,
  FrameStream,
  GENERATE_PROTOCOL,
  MAX_FRAME_BYTES,
  MAX_NODE_FRAME_BYTES,
  PotluckError,
  type AnswerRecord,
  type ErrorCode,
  type GenerateRequest,
  type NodeFrame,
  type PhaseTimeouts
} from '@potluck/protocol'

import { MAX_OUTBOUND_STREAMS } from '../constants.ts'
import type { Dialable, Network } from '../network/network.ts'
import { checkDone } from './check-done.ts'
import type { Gaps } from './gaps.ts'

export type AttemptEvent =
  | { type: 'connected'; connection: Connection }
  | Extract<NodeFrame, { type: 'accepted' | 'delta' }>
  /** `record`: everything that the node has signed, for an audit. */
  | (Extract<NodeFrame, { type: 'done' }> & { record: AnswerRecord })

export interface AttemptContext {
  network: Pick<Network, 'connect'>
  timeouts: PhaseTimeouts
  /** Notes the waits between the tokens. */
  gaps: Gaps
  /** The silence after which the node has stalled, by those; milliseconds. */
  stallAfterMs: (gaps: Gaps) => number
  /** The caller's. */
  signal: AbortSignal
}

/**
 * Yields what the node sends, in the order above; ends after `done`. To continue another node's
 * answer, the request carries its tokens.
 *
 * @throws PotluckError of every other end; its `peer` is the node
 */
export async function* attempt(
  node: Dialable,
  request: GenerateRequest,
  { network, timeouts, gaps, stallAfterMs, signal }: AttemptContext
): AsyncGenerator<AttemptEvent, void, void> {
  const { bytes, digest } = encodeRequest(request)
  if (bytes.byteLength > MAX_FRAME_BYTES) {
    throw new PotluckError('invalid_request', `invalid request: more than ${MAX_FRAME_BYTES} bytes`)
  }
  let frames: FrameStream | undefined
  try {
    const dialled = await dial(node, network, timeouts.dialMs, signal)
    frames = dialled.frames
    yield { type: 'connected', connection: dialled.connection }

    await frames.sendRequest(bytes, { timeoutMs: timeouts.requestMs, timeoutCode: 'request_timeout', signal })

    const accepted = await next(frames, timeouts.admissionMs, 'admission_timeout', signal)
    if (accepted.type !== 'accepted') throw unexpected(accepted, 'before accepted')
    yield accepted

    const promptTokens = request.continuation?.promptTokens ?? accepted.promptTokens
    const answerTokens = [...(request.continuation?.answerTokens ?? [])]
    const account = new Account(frames, request)
    let wait: [number, ErrorCode] = [timeouts.firstTokenMs + accepted.estimatedWaitMs, 'first_token_timeout']
    for (;;) {
      const waitedFrom = performance.now()
      const frame = await next(frames, ...wait, signal)
      if (frame.type === 'done') {
        await checkDone(frame, { request, digest, promptTokens, answerTokens }, node.peerId)
        const finished = frames
        frames = undefined
        // The answer is complete: a failure to say goodbye must not undo it.
        await finished
          .close({ signal: AbortSignal.timeout(timeouts.requestMs) })
          .catch((error: Error) => finished.abort(error))
        yield { ...frame, record: { request: bytes, promptTokens, answerTokens, receipt: frame.receipt } }
        return
      }
      if (frame.type !== 'delta') throw unexpected(frame, 'after accepted')
      // The wait for the first token says nothing of the gaps between the others.
      if (wait[1] === 'token_timeout') gaps.add(performance.now() - waitedFrom)
      account.receive(frame.delta.tokens.length)
      answerTokens.push(...frame.delta.tokens)
      yield frame
      await account.pay(signal, timeouts.requestMs)
      wait = [stallAfterMs(gaps), 'token_timeout']
    }
  } catch (error) {
    throw toPotluckError(error, node.peerId, signal)
  } finally {
    frames?.abort(new Error('the attempt ended'))
  }
}

/** The tokens a node may send, by what the caller granted. */
class Account {
  readonly #frames: FrameStream
  readonly #most: number
  #granted: number
  #received = 0
  #unpaid = 0

  constructor(frames: FrameStream, { credit, maxTokens, continuation }: GenerateRequest) {
    this.#frames = frames
    this.#granted = credit
    this.#most = maxTokens - (continuation?.answerTokens.length ?? 0)
  }

  /** @throws PotluckError `protocol_violation` for tokens that were not granted */
  receive(tokens: number): void {
    this.#received += tokens
    this.#unpaid += tokens
    if (this.#received > this.#granted) throw new PotluckError('protocol_violation', 'tokens beyond the credit')
    if (this.#received > this.#most) throw new PotluckError('protocol_violation', 'tokens beyond max_tokens')
  }

  /** Called when the caller has taken what was received. */
  async pay(signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (this.#unpaid < CREDIT_BATCH || this.#granted >= this.#most || this.#frames.closed.aborted) return
    const tokens = this.#unpaid
    this.#unpaid = 0
    this.#granted += tokens
    await this.#frames.send(encodeCredit(tokens), { timeoutMs, timeoutCode: 'token_timeout', signal })
  }
}

async function dial(
  node: Dialable,
  network: Pick<Network, 'connect'>,
  timeoutMs: number,
  signal: AbortSignal
): Promise<{ connection: Connection; frames: FrameStream }> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, timeout])
  try {
    const connection = await network.connect(node, either)
    const stream = await connection.newStream(GENERATE_PROTOCOL, {
      signal: either,
      runOnLimitedConnection: true,
      maxOutboundStreams: MAX_OUTBOUND_STREAMS
    })
    return { connection, frames: new FrameStream(stream, { maxFrameBytes: MAX_NODE_FRAME_BYTES }) }
  } catch (cause) {
    if (!timeout.aborted) throw new PotluckError('dial_failed', 'the node could not be reached', { cause })
    throw new PotluckError('dial_timeout', `the node could not be reached within ${timeoutMs} ms`, { cause })
  }
}

async function next(
  frames: FrameStream,
  timeoutMs: number,
  timeoutCode: ErrorCode,
  signal: AbortSignal
): Promise<NodeFrame> {
  // What has arrived before the caller left is not delivered any more.
  signal.throwIfAborted()
  const bytes = await frames.receive({ timeoutMs, timeoutCode, signal })
  if (bytes === undefined) throw new PotluckError('stream_cut', 'the stream ended without a terminal frame')
  return decodeNodeFrame(bytes)
}

function unexpected(frame: NodeFrame, where: string): PotluckError {
  if (frame.type !== 'error') return new PotluckError('protocol_violation', `a ${frame.type} frame ${where}`)
  const { code, detail, retryAfterMs } = frame
  return new PotluckError(code, detail === '' ? code : detail, retryAfterMs === undefined ? {} : { retryAfterMs })
}

function toPotluckError(error: unknown, peerId: PeerId, signal: AbortSignal): PotluckError {
  const peer = peerId.toString()
  if (signal.aborted) return new PotluckError('aborted', 'aborted by the caller', { cause: signal.reason, peer })
  if (!(error instanceof PotluckError)) {
    return new PotluckError('stream_cut', 'the stream failed', { cause: error, peer })
  }
  const { code, message, retryAfterMs } = error
  return new PotluckError(code, `node ${peer.slice(-8)}: ${message}`, {
    cause: error,
    peer,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
}
