import { estimatePromptTokens, toRequest, type Ask } from '../base/request.ts'
import type { RankedCandidate, Workload } from '../select/index.ts'
import { Attempt, type AttemptContext } from './attempt.ts'
import type { CompleteAnswer } from './generate.ts'

/** The work of a request to a given node. Its prompt is new, so no node has a prefix of it. */
export function workloadOf(ask: Ask): Workload {
  const { maxTokens } = ask
  return {
    promptTokens: estimatePromptTokens(ask),
    maxTokens,
    answerTokens: maxTokens ?? 1,
    prefixKeys: [],
    auditable: true
  }
}

/**
 * Asks one given node, without failover: a probe. It counts as in flight and is remembered like every attempt.
 *
 * @throws PotluckError as `sendRequest`
 */
export async function askNode(candidate: RankedCandidate, ask: Ask, context: AttemptContext): Promise<CompleteAnswer> {
  const attempt = new Attempt(candidate, toRequest(ask, candidate.model), { work: workloadOf(ask) }, context)
  let text = ''
  try {
    for (;;) {
      const event = await attempt.next()
      if (event.type === 'delta') text += event.delta.text
      if (event.type !== 'done') continue
      attempt.complete(event, undefined)
      const { node, digest } = candidate
      return { peerId: node.card.peerId, digest, ask, record: event.record, text }
    }
  } finally {
    await attempt.close()
  }
}
