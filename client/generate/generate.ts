/**
 * From a request to an answer: until the first token several nodes may be asked (see `Opening`), then
 * one of them answers. If it fails in the middle, another of the same digest goes on from the tokens
 * that there are: seed and position fix every token, so the caller sees one answer.
 */
import type { PeerId } from '@libp2p/interface'
import { PotluckError, type AnswerRecord, type ErrorCode } from '@potluck/protocol'

import type { Directory } from '../discover/directory.ts'
import type { Ask } from '../request.ts'
import { Candidates, type CandidatesContext } from './candidates.ts'
import { Draft } from './draft.ts'
import { Opening, type OpeningContext } from './opening.ts'
import type { AnswerPart } from './parts.ts'
import { Progress } from './progress.ts'
import type { Trial } from './trial.ts'

export interface GenerateContext extends Omit<OpeningContext & CandidatesContext, 'directory' | 'selector'> {
  directory: OpeningContext['directory'] & CandidatesContext['directory'] & Pick<Directory, 'forget'>
  selector: OpeningContext['selector'] & CandidatesContext['selector']
  /** Hears of every answer that a node completed. */
  answered: (answer: Answered) => void
}

/** An answer as an audit needs it. */
export interface Answered {
  peerId: PeerId
  /** `sha256:…` of the model. */
  digest: string
  ask: Ask
  record: AnswerRecord
  /** As it came; undefined where another node had begun it. */
  text: string | undefined
}

/** @throws PotluckError, for instance `no_providers`, `busy` where every node is, or the last node's failure */
export async function* generate(ask: Ask, context: GenerateContext): AsyncGenerator<AnswerPart, void, void> {
  const progress = new Progress(performance.now(), ask.sampling.seed)
  const draft = new Draft(ask)
  const failures: PotluckError[] = []
  const candidates = new Candidates(ask, draft, failures, context)
  const failed = ({ offer: { peer } }: Trial, error: PotluckError): void => {
    if (IS_OFF_THE_CARD.has(error.code)) context.directory.forget(peer)
    if (!draft.mayMoveOn(error)) throw error
    failures.push(error)
    progress.failed(error, draft.length)
  }
  for (;;) {
    const opening = new Opening(
      candidates,
      {
        sent: ({ contender: { node } }) => ({ request: draft.request(node.model), selection: candidates.selection }),
        failed,
        part: (trial, accepted) => progress.accepted(trial, accepted)
      },
      context
    )
    const { trial, first } = yield* opening.run()
    try {
      for (let event = first; ; event = await trial.next()) {
        draft.record(event, trial)
        if (event.type === 'done') {
          const { digest, sighting } = trial.offer
          trial.complete(event, draft.conversationKey(digest))
          const text = trial.request.continuation === undefined ? draft.text : undefined
          context.answered({ peerId: sighting.card.peerId, digest, ask, record: event.record, text })
        }
        const part = progress.part(event, trial, draft.beginning)
        if (part !== undefined) yield part
        if (event.type === 'done') return
      }
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      failed(trial, error)
    } finally {
      await trial.close()
    }
  }
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
