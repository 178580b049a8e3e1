/**
 * Audits an answer that another node signed: measures its tokens with this node's model.
 *
 * Peers use `/potluck/audit/1.0.0`, one frame in and one frame out, and serve.ts runs the steps below. The node's owner
 * uses the control socket (`node/control`). All audits wait in the same queue as answers, because an audit needs a
 * slot. It takes one prefill, which is much faster than generating the answer. The daemon does not look into the frames:
 * a receipt of a long answer takes too long to verify, and its tokens take too long to measure.
 */
import { AUDIT_PROTOCOL, encodeAuditReply, PotluckError } from '@potluck/protocol'

import type { FairQueue } from '../admission/queue.ts'
import type { AuditJob, AuditOutcome } from '../engine/audit.ts'
import type { Engine } from '../engine/interface.ts'
import { checkServing, type ServedModel } from './check.ts'
import type { ServedProtocol } from './serve.ts'

export interface AuditDependencies {
  engine: Pick<Engine, 'audit'>
  servedModel: () => ServedModel
}

export function auditProtocol({
  engine,
  servedModel
}: AuditDependencies): ServedProtocol<Uint8Array, Uint8Array, Uint8Array> {
  return {
    id: AUDIT_PROTOCOL,
    decode: (frame) => frame,
    check: () => checkServing(servedModel()),
    prepare: async (frame) => frame,
    run: async (frame, { closed, peer }) => (await engine.audit({ caller: peer, frame, forPeer: true }, closed)).reply,
    encodeResult: (reply) => reply,
    encodeError: encodeAuditReply
  }
}

/**
 * Returns the text of each token of an answer that the owner received. A token can be a part of a character.
 *
 * @throws PotluckError `invalid_request` for an unknown token; the errors of the engine
 */
export async function spellForOwner(
  tokens: readonly number[],
  { engine, stopping }: { engine: Pick<Engine, 'read'>; stopping: AbortSignal }
): Promise<string[]> {
  const nothing = { promptTokens: [], seed: 0n, answerTokens: [], stop: [] }
  const { spelt } = await engine.read({ ...nothing, spell: tokens }, stopping)
  if (spelt === undefined) throw new PotluckError('invalid_request', 'the vocabulary does not have a token')
  return spelt.map((bytes) => new TextDecoder().decode(bytes))
}

/** Identifies the owner in the fair queue and in the engine. The other callers are peer ids. */
const OWNER = 'owner'

/**
 * Audits an answer that the owner received. The request does not need to be marked as shareable.
 *
 * @throws PotluckError `busy` if the queue is full; the errors of the engine
 */
export async function auditForOwner(
  job: Omit<AuditJob, 'caller' | 'forPeer'>,
  { engine, queue, stopping }: { engine: AuditDependencies['engine']; queue: FairQueue; stopping: AbortSignal }
): Promise<AuditOutcome> {
  const place = queue.join([OWNER])
  try {
    await place.slot(stopping)
    return await engine.audit({ ...job, caller: OWNER, forPeer: false }, stopping)
  } finally {
    place.leave()
  }
}
