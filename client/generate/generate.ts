/**
 * From a request to an answer: choose among the nodes that may serve it, and try one after the other.
 * If one fails in the middle of its answer, the next of the same digest goes on from the tokens that
 * there are: seed and position fix every token, so the caller sees one answer.
 */
import { formatDigest, PotluckError, type ErrorCode, type PhaseTimeouts } from '@potluck/protocol'

import { DEFAULT_BUSY_WAIT_MS, MAX_ATTEMPTS } from '../constants.ts'
import { parseAddresses } from '../discover/ask-card.ts'
import type { Directory } from '../discover/directory.ts'
import type { Want } from '../discover/want.ts'
import type { Network } from '../network/network.ts'
import type { Ask } from '../request.ts'
import { attempt } from './attempt.ts'
import { candidates, isBusy, type CandidatesContext } from './candidates.ts'
import { Draft } from './draft.ts'
import type { AnswerPart } from './parts.ts'
import { Progress } from './progress.ts'

export interface GenerateContext extends CandidatesContext {
  network: Pick<Network, 'connect'>
  directory: Pick<Directory, 'gather' | 'reportLoad' | 'reportBusy' | 'forget'>
  timeouts: PhaseTimeouts
}

/** @throws PotluckError, for instance `no_providers`, `busy` where every node is, or the last node's failure */
export async function* generate(ask: Ask, context: GenerateContext): AsyncGenerator<AnswerPart, void, void> {
  const { directory } = context
  const startedAt = performance.now()
  const failures: PotluckError[] = []
  const draft = new Draft(ask)
  const progress = new Progress(startedAt, ask.sampling.seed)
  for await (const offer of candidates(ask, draft, failures, context)) {
    const { card } = offer.sighting
    const node = { peerId: card.peerId, addresses: parseAddresses(card) }
    const request = draft.request(offer.model)
    try {
      for await (const event of attempt(node, request, context)) {
        if (event.type === 'accepted' || event.type === 'done') directory.reportLoad(card.peerId.toString(), event.load)
        draft.record(event, request)
        const part = progress.part(event, offer)
        if (part !== undefined) yield part
      }
      return
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      learn(error, card.peerId.toString(), directory)
      if (!draft.mayMoveOn(error)) throw error
      failures.push(error)
      progress.failed(error, draft.length)
      if (failures.length === MAX_ATTEMPTS) break
    }
  }
  throw summary(draft.want, failures)
}

/** What a failure says about the next requests. */
function learn(error: PotluckError, peer: string, directory: Pick<Directory, 'reportBusy' | 'forget'>): void {
  if (isBusy(error)) directory.reportBusy(peer, error.retryAfterMs ?? DEFAULT_BUSY_WAIT_MS)
  if (IS_OFF_THE_CARD.has(error.code)) directory.forget(peer)
}

/** The node is not what its card says, or not there. */
const IS_OFF_THE_CARD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'draining',
  'model_not_found',
  'unsupported',
  'dial_failed',
  'dial_timeout',
  'stream_cut'
])

/** The most telling failure: a full queue passes, a caller's mistake stays. */
function summary(want: Want, failures: readonly PotluckError[]): PotluckError {
  const telling = failures.find(({ retryable }) => !retryable) ?? failures.find(isBusy) ?? failures.at(-1)
  if (telling === undefined) {
    return new PotluckError('no_providers', `no node was found that can serve this request (${describe(want)})`)
  }
  const nodes = new Set(failures.map(({ peer }) => peer)).size
  if (nodes === 1) return telling
  const { code, message, retryAfterMs } = telling
  return new PotluckError(code, `${nodes} nodes failed; ${message}`, {
    cause: telling,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
}

function describe(want: Want): string {
  switch (want.kind) {
    case 'auto':
      return 'any model'
    case 'name':
      return `model ${want.name}`
    case 'digest':
      return `model ${formatDigest(want.digest)}`
  }
}
