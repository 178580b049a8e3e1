/**
 * One answer, from the request to its end:
 *
 * 1. pick: a pool of candidates finds nodes on the DHT and ranks them (`select/pool.ts`)
 * 2. race: the best candidate gets the request, and others too if it fails or is late, until one of them produces the
 *    first token (`race.ts`)
 * 3. stream: the rest of that node's answer
 * 4. resume: if the node fails, steps 1 to 3 run again, and another node with the same weights continues after the last
 *    token
 */
import type { PeerId } from '@libp2p/interface'
import { PotluckError, type AnswerRecord } from '@potluck/protocol'

import { log } from '../base/log.ts'
import type { Ask } from '../base/request.ts'
import { CandidatePool, type PoolContext } from '../select/index.ts'
import type { Attempt } from './attempt.ts'
import { AnswerTimes, toFinishPart } from './finish.ts'
import type { AnswerPart } from './parts.ts'
import { raceToFirstToken, type RaceContext } from './race.ts'
import { ResumableAnswer, type CanAudit } from './resumable-answer.ts'

export interface GenerateContext extends Omit<RaceContext & PoolContext, 'directory' | 'selector'> {
  directory: RaceContext['directory'] & PoolContext['directory']
  selector: RaceContext['selector'] & PoolContext['selector']
  canAudit: CanAudit
  /** Called for every answer that a node completed. */
  onAnswer: (answer: CompleteAnswer) => void
}

/** What an audit needs of an answer. */
export interface CompleteAnswer {
  peerId: PeerId
  /** `sha256:…` of the model. */
  digest: string
  ask: Ask
  record: AnswerRecord
  /** As the node sent it. Undefined if another node began the answer. */
  text: string | undefined
}

/** @throws PotluckError for example `no_providers`, `busy` if all nodes are busy, or the last node's failure */
export async function* generate(ask: Ask, context: GenerateContext): AsyncGenerator<AnswerPart, void, void> {
  const answer = new ResumableAnswer(ask, context.canAudit)
  const pool = new CandidatePool(answer, context)
  const times = new AnswerTimes(context.clock)
  const failed = (attempt: Attempt, error: PotluckError): void => {
    answer.failed(error)
    // The node did not fail, so it can continue over another connection.
    if (error.code === 'relay_limit') pool.allow(attempt.candidate.peer)
    else pool.failed(error)
    log.generate('…%s failed with %s', attempt.candidate.peer.slice(-8), error.code)
  }
  for (;;) {
    const { attempt, first } = yield* raceToFirstToken(pool, answer, failed, context)
    try {
      for (let event = first; ; event = await attempt.next()) {
        if (event.type === 'delta') {
          answer.add(event, attempt)
          times.token()
          yield { type: 'delta', ...event.delta }
        } else if (event.type === 'done') {
          const { peerId } = attempt.candidate.node.card
          const { digest } = attempt.candidate
          attempt.complete(event, answer.conversationKey(digest))
          pool.answered(attempt.candidate)
          context.onAnswer({ peerId, digest, ask, record: event.record, text: answer.textOf(attempt) })
          yield toFinishPart(event, attempt, { ask, answer, times })
          return
        }
      }
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      failed(attempt, error)
    } finally {
      await attempt.close()
    }
  }
}
