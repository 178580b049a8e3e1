/**
 * From a request to an answer: choose among the nodes that may serve it, and try one after the other
 * until one has given its first token. What fails afterwards ends the answer: its caller has seen a part.
 */
import { formatDigest, PotluckError, type ErrorCode, type PhaseTimeouts } from '@potluck/protocol'

import { DEFAULT_BUSY_WAIT_MS, MAX_ATTEMPTS } from '../constants.ts'
import { parseAddresses } from '../discover/ask-card.ts'
import type { Directory } from '../discover/directory.ts'
import { parseWant, type Want } from '../discover/want.ts'
import type { Network } from '../network/network.ts'
import { toRequest, type Ask } from '../request.ts'
import { attempt } from './attempt.ts'
import { candidates, isBusy, type CandidatesContext } from './candidates.ts'
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
  for await (const offer of candidates(ask, failures, context)) {
    const { card } = offer.sighting
    const node = { peerId: card.peerId, addresses: parseAddresses(card) }
    const progress = new Progress(startedAt)
    try {
      for await (const event of attempt(node, toRequest(ask, offer.model), context)) {
        if (event.type === 'accepted' || event.type === 'done') directory.reportLoad(card.peerId.toString(), event.load)
        const part = progress.part(event, { offer, ask, failures })
        if (part !== undefined) yield part
      }
      return
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      learn(error, card.peerId.toString(), directory)
      if (progress.hasTokens || !mayMoveOn(error)) throw error
      failures.push(error)
      if (failures.length === MAX_ATTEMPTS) break
    }
  }
  throw summary(ask, failures)
}

/** Whether another node may do better. */
function mayMoveOn(error: PotluckError): boolean {
  return error.retryable || error.code === 'context_length_exceeded'
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
function summary({ model }: Ask, failures: readonly PotluckError[]): PotluckError {
  const telling = failures.find(({ retryable }) => !retryable) ?? failures.find(isBusy) ?? failures.at(-1)
  if (telling === undefined) {
    const what = describe(parseWant(model))
    return new PotluckError('no_providers', `no node was found that can serve this request (${what})`)
  }
  const { code, message, retryAfterMs } = telling
  const nodes = new Set(failures.map(({ peer }) => peer)).size
  return new PotluckError(code, nodes === 1 ? message : `${nodes} nodes failed; ${message}`, {
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
