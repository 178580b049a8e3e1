/**
 * Whose network was it? When the client's own is lost, every peer seems to fail at once.
 *
 * A failure that the client's network could explain is held back until a sign of life of any peer
 * proves that network. If by then several peers in a row had failed, it was the network that came
 * back, and none of them is blamed; nor where no sign of life comes at all. A peer that cuts its
 * answers cannot hide in such a run: each `accepted` of the next peer is a sign of life.
 */
import type { Observation } from './observation.ts'
import type { ReputationParameters } from './parameters.ts'
import { mayBeOwnNetwork, penaltyOf } from './penalty.ts'

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
  if (observation.type !== 'failed') return false
  const penalty = penaltyOf(observation.code)
  return penalty !== undefined && mayBeOwnNetwork(penalty)
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
