/**
 * Computes vectors of texts, over `/potluck/embed/1.0.0`. All vectors come from one digest, because vectors of
 * different weights cannot be compared. If a node fails, another node with the same digest computes the rest.
 */
import {
  decodeEmbedReply,
  decodeEmbedRequest,
  EMBED_PROTOCOL,
  encodeEmbedRequest,
  MAX_EMBED_REPLY_BYTES,
  MAX_EMBED_TEXTS,
  MAX_FRAME_BYTES,
  PotluckError,
  type Embeddings,
  type EmbedRequest,
  type PhaseTimeouts
} from '@potluck/protocol'

import { CHARACTERS_PER_TOKEN } from './base/constants.ts'
import { dialable } from './discover/known-node.ts'
import { parseModelSelector, type ModelSelector } from './discover/model-selector.ts'
import { log } from './base/log.ts'
import { askOnce, refusal } from './network/exchange.ts'
import type { Network } from './network/network.ts'
import {
  CandidatePool,
  SHORT_WORKLOAD,
  type PoolContext,
  type PooledRequest,
  type RankedCandidate,
  type Selector
} from './select/index.ts'

export interface EmbedOptions {
  /** As in `ChatOptions`. Default `auto`. */
  model?: string
  /** At least one text. No text is empty. */
  input: readonly string[]
  signal?: AbortSignal
}

export interface EmbedResult {
  /** One per text, in the order of the texts, each of length 1. */
  vectors: readonly Float32Array[]
  promptTokens: number
  /** The node that computed the last vectors. */
  peerId: string
  /** Digest as `sha256:…`, and the name on the node's card. */
  model: { digest: string; name: string }
}

export interface EmbedContext extends Omit<PoolContext, 'selector'> {
  network: Pick<Network, 'connect'>
  selector: PoolContext['selector'] & Pick<Selector, 'begin'>
  timeouts: PhaseTimeouts
}

/** @throws PotluckError `invalid_request`, `no_providers`, or the last node's failure */
export async function embed({ model = 'auto', input }: EmbedOptions, context: EmbedContext): Promise<EmbedResult> {
  const batches = toBatches(input)
  const request = toPooled(parseModelSelector(model), input)
  const pool = new CandidatePool(request, context)
  const vectors: Float32Array[] = []
  let promptTokens = 0
  for (;;) {
    const record = await pool.start((candidate) => context.selector.begin(candidate, pool.workload, 'embeddings'))
    const { candidate } = record
    const { digest, name } = candidate.model
    try {
      while (vectors.length < input.length) {
        const texts = batches[Math.floor(vectors.length / MAX_EMBED_TEXTS)]!
        const reply = await askEmbed(candidate, { modelDigest: digest, texts }, context)
        vectors.push(...reply.vectors)
        promptTokens += reply.promptTokens
        request.model = { kind: 'digest', digest }
      }
      record.served()
      pool.answered(candidate)
      return { vectors, promptTokens, peerId: candidate.peer, model: { digest: candidate.digest, name } }
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      record.failed(error)
      pool.failed(error)
      log.embed('…%s failed with %s', candidate.peer.slice(-8), error.code)
    } finally {
      // Ends the record after an unexpected error. Has no effect if the record has ended already.
      record.failed({ code: 'aborted', retryAfterMs: undefined })
    }
  }
}

/** The request, as the pool sees it. After the first batch, `model` is the digest that computed it. */
function toPooled(model: ModelSelector, input: readonly string[]): PooledRequest & { model: ModelSelector } {
  const longest = Math.max(...input.map((text) => text.length))
  // No node signs vectors, so they cannot be audited.
  const work = { ...SHORT_WORKLOAD, promptTokens: Math.ceil(longest / CHARACTERS_PER_TOKEN) }
  return {
    model,
    features: ['embeddings'],
    maxTokens: undefined,
    begun: false,
    workload: () => work,
    acceptAnyModel: () => false
  }
}

async function askEmbed(
  { node, predicted }: RankedCandidate,
  request: EmbedRequest,
  { network, timeouts, signal }: EmbedContext
): Promise<Embeddings> {
  const { reply } = await askOnce(dialable(node.card), {
    network,
    protocol: EMBED_PROTOCOL,
    maxFrameBytes: MAX_EMBED_REPLY_BYTES,
    dialMs: timeouts.dialMs,
    request: { bytes: toFrame(request), timeoutMs: timeouts.requestMs },
    // The node reports no wait for embeddings. So the client adds its own estimate of it, at most `firstTokenMs`.
    replyMs: timeouts.firstTokenMs + Math.min(predicted.waitMs, timeouts.firstTokenMs),
    timeoutCode: 'first_token_timeout',
    decode: (bytes) => {
      const decoded = decodeEmbedReply(bytes, request.texts.length)
      if (decoded.type === 'error') throw refusal(decoded)
      return decoded.result
    },
    signal
  })
  return reply
}

/** @throws PotluckError `invalid_request`, before anything is sent */
function toBatches(input: readonly string[]): (readonly string[])[] {
  const batches: (readonly string[])[] = []
  for (let start = 0; start === 0 || start < input.length; start += MAX_EMBED_TEXTS) {
    const texts = input.slice(start, start + MAX_EMBED_TEXTS)
    toFrame({ modelDigest: new Uint8Array(32), texts })
    batches.push(texts)
  }
  return batches
}

/** @throws PotluckError `invalid_request` for a request that every node would refuse */
function toFrame(request: EmbedRequest): Uint8Array {
  const bytes = encodeEmbedRequest(request)
  if (bytes.byteLength > MAX_FRAME_BYTES) {
    throw new PotluckError('invalid_request', `invalid request: more than ${MAX_FRAME_BYTES} bytes of texts at once`)
  }
  decodeEmbedRequest(bytes)
  return bytes
}
