/**
 * Decides which failures count when the client's own network may have caused them. A client that loses its network
 * sees every peer fail at once.
 *
 * A doubtful failure is held back until any peer gives a sign of life, which proves the network. If several peers in
 * a row had failed by then, the network was lost and has come back, so none of them is blamed. Without a sign of life
 * none is blamed either. A peer that cuts its answers cannot hide in such a run, because each `accepted` of the next
 * peer is a sign of life.
 */
import { ERROR_POLICY } from '@potluck/protocol'

import type { Observation } from './observation.ts'
import type { ReputationParameters } from './parameters.ts'

export interface Held {
  peer: string
  digest: string
  observation: Observation
  /** Milliseconds since the epoch. */
  at: number
}

/** Failures since the last sign of life, oldest first. */
export type Run = readonly Held[]

/** A hundred failures without a sign of life say no more than three. */
const MAX_RUN = 100

/** Whether an observation has to wait for a sign of life. */
export function isDoubtful(observation: Observation): boolean {
  return observation.type === 'failed' && ERROR_POLICY[observation.code].doubtful === true
}

export function hold(run: Run, held: Held): Run {
  return [...run, held].slice(-MAX_RUN)
}

/** At a sign of life: the failures that count. The run starts anew. */
export function settle(run: Run, { lossPeers, blameWindowMs }: ReputationParameters, now: number): Run {
  const recent = run.filter(({ at }) => now - at <= blameWindowMs)
  const peers = new Set(recent.map(({ peer }) => peer))
  return peers.size >= lossPeers ? [] : recent
}
