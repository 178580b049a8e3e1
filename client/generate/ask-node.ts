import { estimatePromptTokens, toRequest, type Ask } from '../base/request.ts'
import type { RankedCandidate, Workload } from '../select/index.ts'
import { Attempt, type AttemptContext } from './attempt.ts'
import type { CompleteAnswer } from './generate.ts'

/** Returns the work of a probe. Its prompt is new, so no node has a prefix of it in its cache. */
export function workloadOf(ask: Ask): Workload {
  const { maxTokens } = ask
  const promptTokens = estimatePromptTokens(ask)
  return { promptTokens, maxTokens, answerTokens: maxTokens ?? 1, prefixKeys: [], auditable: true }
}

/**
 * Sends a probe: asks one given node, and no other if it fails. Like every attempt, the probe counts as in flight, and
 * its outcome is recorded.
 *
 * @throws PotluckError as `sendRequest`
 */
export async function askNode(candidate: RankedCandidate, ask: Ask, context: AttemptContext): Promise<CompleteAnswer> {
  const attempt = new Attempt(
    candidate,
    toRequest(ask, candidate.model),
    { work: workloadOf(ask), kind: 'probe' },
    context
  )
  try {
    for (;;) {
      const event = await attempt.next()
      if (event.type !== 'done') continue
      attempt.complete(event, undefined)
      const { node, digest } = candidate
      return { peerId: node.card.peerId, digest, ask, record: event.record }
    }
  } finally {
    await attempt.close()
  }
}
