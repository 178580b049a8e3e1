/** What is kept of one peer with one model. Plain data: a store writes it as JSON. */
import type { Penalty } from '@potluck/protocol'

import type { Evidence } from '../audit/evidence.ts'
import { freshReliability, type Reliability } from './reliability.ts'
import { FRESH_SPEED, type Speed } from './speed.ts'

/** What is counted for `explain`. */
export type Cause = Penalty | 'complete' | 'served' | 'late' | 'audit' | 'praised'

export interface Integrity {
  /** The audit's e-process; absent before the first audit. Never decays. */
  evidence?: Evidence
  /** Its natural logarithm; 0: none. */
  logEvidence: number
  /** Since when it gets no requests, milliseconds since the epoch. */
  quarantinedAt?: number | undefined
  /** Ban is for good. */
  banned?: Ban
}

export interface Ban {
  /** Milliseconds since the epoch. */
  at: number
  logEvidence: number
  /** By our own audits, or by another's proof that we checked again. */
  by: 'audit' | 'proof'
}

export interface PeerState {
  /** Milliseconds since the epoch. */
  firstSeen: number
  integrity: Integrity
  reliability: Reliability
  speed: Speed
  /** Answer tokens that this client got from it. */
  generatedTokens: number
  counts: Readonly<Partial<Record<Cause, { count: number; last: number }>>>
}

/** Answer tokens of the peer that were audited. */
export function auditedTokens({ integrity }: Pick<PeerState, 'integrity'>): number {
  return integrity.evidence?.tokens ?? 0
}

export function freshState(now: number): PeerState {
  return {
    firstSeen: now,
    integrity: { logEvidence: 0 },
    reliability: freshReliability(now),
    speed: FRESH_SPEED,
    generatedTokens: 0,
    counts: {}
  }
}

/**
 * A state that a store held, or undefined for one that no longer reads: an older layout, a damaged
 * row. Shallow: our own process wrote it.
 */
export function parseState(json: string): PeerState | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  return isState(value) ? value : undefined
}

function isState(value: unknown): value is PeerState {
  const state = value as Partial<PeerState> | null
  return (
    typeof state === 'object' &&
    state !== null &&
    [state.firstSeen, state.generatedTokens, state.integrity?.logEvidence].every(Number.isFinite) &&
    Number.isFinite(state.integrity?.evidence?.tokens ?? 0) &&
    [state.reliability?.week, state.reliability?.day, state.reliability?.recent].every((tally) =>
      Number.isFinite(tally?.at)
    ) &&
    state.speed?.buckets.length === FRESH_SPEED.buckets.length &&
    typeof state.counts === 'object'
  )
}
