/**
 * Audits an answer, from the frame of the request to the frame of the reply. All of this is too slow for the daemon.
 */
import {
  auditAnswer,
  decodeAuditRequest,
  decodeClientFrame,
  encodeAuditReply,
  isShareable,
  PotluckError,
  type AnswerRecord,
  type Misstatement,
  type Scorer
} from '@potluck/protocol'

export interface AuditJob {
  /** The peer id of the caller, as in a generation. The audit reuses no tokens that other callers sent. */
  caller?: string
  /** The frame of an audit request, as it arrived. */
  frame: Uint8Array
  /** The audit is for another peer, so the request in the answer must be marked as shareable. */
  forPeer: boolean
}

/** What an audit needs of the engine that runs it. */
export interface AuditEngine extends Omit<Scorer, 'score' | 'embed'> {
  score: (
    job: Parameters<Scorer['score']>[0] & { caller?: string },
    signal?: AbortSignal
  ) => ReturnType<Scorer['score']>
}

export interface AuditOutcome {
  /** The frame of the audit reply. */
  reply: Uint8Array
  misstatements: readonly Misstatement[]
  /** The noise of the model, if the audit is for the owner of the engine. Other peers do not believe it. */
  noise?: number
}

/** @throws PotluckError `invalid_request`; the errors of `auditAnswer` */
export async function runAudit(
  { caller, frame, forPeer }: AuditJob,
  engine: AuditEngine,
  signal?: AbortSignal
): Promise<AuditOutcome> {
  const { answer, peerId } = decodeAuditRequest(frame)
  if (forPeer) checkShareable(answer)
  const scorer: Omit<Scorer, 'embed'> = {
    model: engine.model,
    tokenize: async (input, stop) => await engine.tokenize(input, stop),
    read: async (job, stop) => await engine.read(job, stop),
    score: async (job, stop) => await engine.score(caller === undefined ? job : { ...job, caller }, stop),
    ...(forPeer || engine.noise === undefined ? {} : { noise: engine.noise })
  }
  const { misstatements, noise, ...result } = await auditAnswer(
    answer,
    peerId,
    scorer,
    signal === undefined ? {} : { signal }
  )
  const reply = encodeAuditReply({ type: 'result', result })
  return { reply, misstatements, ...(noise === undefined ? {} : { noise }) }
}

/** A client commits to whether other nodes may see the request, and opens the commitment to auditors. */
function checkShareable({ request, opening }: AnswerRecord): void {
  const frame = decodeClientFrame(request)
  if (frame.type !== 'request' || !isShareable(frame.request, opening)) {
    throw new PotluckError('invalid_request', 'the request is not marked as shareable')
  }
}
