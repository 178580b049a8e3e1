/**
 * `/potluck/generate/1.0.0`: a prompt in, an answer token by token, and a signed receipt at the end.
 *
 * serve.ts runs the steps below. `accept` makes the frame `accepted`, with the place in the queue. `run` sends a
 * `delta` for each piece of the answer (answer.ts). `encodeResult` makes the last frame, `done`.
 */
import {
  decodeClientFrame,
  encodeNodeFrame,
  GENERATE_PROTOCOL,
  PotluckError,
  type GenerateRequest
} from '@potluck/protocol'

import type { FairQueue } from '../admission/queue.ts'
import type { Engine } from '../engine/interface.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { runAnswer, type AnswerDependencies, type GeneratedAnswer } from './answer.ts'
import { checkContext, checkRequest, type ServedModel } from './check.ts'
import { issueReceipt, type ReceiptDependencies } from './receipt.ts'
import type { ServedProtocol } from './serve.ts'

export interface GenerateDependencies extends AnswerDependencies, ReceiptDependencies {
  engine: Pick<Engine, 'model' | 'backend' | 'tokenize' | 'generate'>
  queue: Pick<FairQueue, 'load'>
  metrics: Pick<Metrics, 'accepted' | 'observeAnswer'>
  servedModel: () => ServedModel
}

interface ReceivedRequest {
  request: GenerateRequest
  /** SHA-256 of the frame. */
  digest: Uint8Array
}

interface TokenizedRequest extends ReceivedRequest {
  promptTokens: readonly number[]
}

interface GeneratedResult extends TokenizedRequest, GeneratedAnswer {
  queueMs: number
}

export function generateProtocol(
  node: GenerateDependencies
): ServedProtocol<ReceivedRequest, TokenizedRequest, GeneratedResult> {
  const { engine, queue, metrics, servedModel } = node
  return {
    id: GENERATE_PROTOCOL,

    decode: (bytes) => {
      const frame = decodeClientFrame(bytes)
      if (frame.type !== 'request') throw new PotluckError('invalid_request', 'the first frame is not a request')
      return { request: frame.request, digest: frame.digest }
    },

    check: ({ request }) => checkRequest(request, servedModel()),

    prepare: async ({ request, digest }, closed) => {
      const promptTokens = request.continuation?.promptTokens ?? (await engine.tokenize(request.input, closed))
      checkContext(promptTokens.length, request.maxTokens, engine.model)
      return { request, digest, promptTokens }
    },

    accept: ({ promptTokens }, place) => {
      metrics.accepted(promptTokens.length)
      return encodeNodeFrame({
        type: 'accepted',
        promptTokens,
        queuePosition: place.position(),
        estimatedWaitMs: Math.round(place.estimatedWaitMs()),
        load: queue.load()
      })
    },

    run: async (job, stream) => ({ ...job, ...(await runAnswer(job, stream, node)), queueMs: stream.queueMs }),

    encodeResult: async (result) => {
      const { finishReason, usage, prefillMs, decodeMs } = result.done
      const timings = { queueMs: result.queueMs, prefillMs, decodeMs }
      const receipt = await issueReceipt({ ...result, timings }, node)
      return encodeNodeFrame({ type: 'done', finishReason, usage, timings, load: queue.load(), receipt })
    },

    encodeError: encodeNodeFrame
  }
}
