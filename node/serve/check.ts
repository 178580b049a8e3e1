/** Checks whether this node can serve a valid request. */
import { offeredTools, outputConstraintOf, PotluckError, type Feature, type GenerateRequest } from '@potluck/protocol'
import { equals } from 'uint8arrays/equals'

import type { Engine, EngineModel, EngineStatus } from '../engine/interface.ts'
import { inputBytes } from '../engine/checks.ts'
import { MAX_BYTES_PER_TOKEN, RESTART_RETRY_MS } from '../limits/limits.ts'

/** What the node serves at the moment. */
export interface ServedModel {
  model: EngineModel
  status: EngineStatus
  draining: boolean
}

/**
 * Checks everything that can be checked before the prompt is tokenised.
 *
 * @throws PotluckError `draining`, `model_not_found`, `busy` (the engine restarts), `unsupported`,
 *   `invalid_request`, `context_length_exceeded`
 */
export function checkRequest(request: GenerateRequest, servedModel: ServedModel): void {
  checkModel(request.modelDigest, servedModel)
  const { model } = servedModel
  for (const feature of neededFeatures(request)) {
    if (!model.features.includes(feature)) throw new PotluckError('unsupported', `the model lacks ${feature}`)
  }
  for (const token of request.sampling.logitBias.keys()) checkToken('logit_bias', token, model)
  if (request.continuation === undefined) {
    if (inputBytes(request.input) > model.contextLength * MAX_BYTES_PER_TOKEN) throw overflow('the prompt does', model)
    return
  }
  const { promptTokens, answerTokens } = request.continuation
  for (const token of promptTokens) checkToken('prompt_tokens', token, model)
  for (const token of answerTokens) checkToken('answer_tokens', token, model)
}

/**
 * Checks that the node serves this model now.
 *
 * @throws PotluckError `draining`, `model_not_found`, `busy` (the engine restarts)
 */
export function checkModel(digest: Uint8Array, servedModel: ServedModel): void {
  checkDraining(servedModel)
  const { model, status } = servedModel
  if (status.state === 'failed' || !equals(digest, model.digest)) {
    throw new PotluckError('model_not_found', 'the node does not serve this model')
  }
  if (status.state === 'restarting') {
    throw new PotluckError('busy', 'the engine restarts', { retryAfterMs: RESTART_RETRY_MS })
  }
}

/** @throws PotluckError `draining` */
export function checkDraining({ draining }: ServedModel): void {
  if (draining) throw new PotluckError('draining', 'the node is shutting down')
}

/**
 * Checks that the prompt is not empty, and that it and the longest possible answer fit the context. So the context never
 * cuts an answer short.
 *
 * @throws PotluckError `invalid_request`, `context_length_exceeded`
 */
export function checkContext(promptTokens: number, maxTokens: number, model: EngineModel): void {
  if (promptTokens === 0) throw new PotluckError('invalid_request', 'prompt: it has no tokens')
  if (promptTokens + maxTokens > model.contextLength) {
    throw overflow(`${promptTokens} tokens of prompt and ${maxTokens} of answer do`, model)
  }
}

/**
 * Checks that the answer so far can be continued. A malicious caller could send an answer that is already complete. The
 * node would sign a receipt for tokens after the answer's end, and an audit would call that fraud.
 *
 * @throws PotluckError `invalid_request`; the errors of the engine
 */
export async function checkContinuation(
  request: GenerateRequest,
  engine: Pick<Engine, 'read'>,
  signal: AbortSignal
): Promise<void> {
  const { continuation, stop } = request
  if (continuation === undefined) return
  const { end } = await engine.read(
    { answerTokens: continuation.answerTokens, stop, constraint: outputConstraintOf(request) },
    signal
  )
  if (end !== undefined) throw new PotluckError('invalid_request', 'answer_tokens: the answer is already complete')
}

function neededFeatures({ input, topLogprobs, responseFormat }: GenerateRequest): Feature[] {
  return [
    'messages' in input ? 'chat' : 'completion',
    ...(topLogprobs === undefined ? [] : (['logprobs'] as const)),
    ...(responseFormat === undefined ? [] : (['json'] as const)),
    ...('messages' in input && offeredTools(input).length > 0 ? (['tools'] as const) : [])
  ]
}

function checkToken(field: string, token: number, { vocabularySize }: EngineModel): void {
  if (token >= vocabularySize) throw new PotluckError('invalid_request', `${field} holds an id outside the vocabulary`)
}

/** @param what the beginning of the message, up to "not fit", such as "the prompt does" */
function overflow(what: string, { contextLength }: EngineModel): PotluckError {
  return new PotluckError('context_length_exceeded', `${what} not fit a context of ${contextLength}`)
}
