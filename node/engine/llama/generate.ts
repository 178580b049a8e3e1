/**
 * One answer on one sequence. In the order of the code: what the cache holds already, the prompt in
 * slices, then token by token as far as the credit reaches.
 */
import type { Usage } from '@potluck/protocol'
import { Answer, type AnswerContext, type PositionLogits } from '../answer/answer.ts'
import type { Credit } from '../answer/credit.ts'
import { Deltas } from '../answer/deltas.ts'
import type { EngineEvent, GenerateJob } from '../interface.ts'
import type { Sequence } from './sequence.ts'

/**
 * @param emit takes the events in order, but for `done`, which is returned: the slot is to be free
 *   before the caller hears it
 * @throws the signal's reason as soon as it is aborted
 */
export async function generate(
  job: GenerateJob,
  sequence: Sequence,
  credit: Credit,
  context: AnswerContext,
  emit: (event: EngineEvent) => void,
  signal: AbortSignal
): Promise<EngineEvent> {
  const began = performance.now()
  const answer = new Answer(job, context)
  const tokens = [...job.promptTokens, ...job.answerTokens]
  const deltas = new Deltas((delta) => emit({ type: 'delta', delta }), performance.now.bind(performance))
  const normaliser = job.topLogprobs !== undefined
  let cached = 0
  let prefillMs = 0
  let logits: PositionLogits | undefined
  try {
    if (answer.finished === undefined) {
      // The last token is evaluated in any case: its logits are what the first sample needs.
      cached = await sequence.reuse(tokens, tokens.length - 1)
      const rest = tokens.slice(cached)
      ;[logits] = await sequence.prefill(rest, rest.length - 1, { normaliser, allowed: () => answer.allowed() }, signal)
      prefillMs = performance.now() - began
      emit({ type: 'prefill', cachedTokens: Math.min(cached, job.promptTokens.length), prefillMs })
    }
    let last = tokens.at(-1)!
    while (answer.finished === undefined) {
      if (!credit.take()) {
        deltas.flush()
        sequence.rest()
        await credit.available(signal)
        continue
      }
      logits ??= await sequence.next(last, { normaliser, allowed: () => answer.allowed() })
      signal.throwIfAborted()
      const step = answer.next(logits)
      deltas.push(step)
      logits = undefined
      last = step.token
    }
    deltas.flush()
  } finally {
    deltas.discard()
  }
  const usage: Usage = {
    promptTokens: job.promptTokens.length,
    cachedTokens: Math.min(cached, job.promptTokens.length),
    completionTokens: answer.length
  }
  return {
    type: 'done',
    finishReason: answer.finished,
    usage,
    prefillMs,
    decodeMs: performance.now() - began - prefillMs
  }
}
