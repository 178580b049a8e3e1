/** What the client keeps of one peer with one model. Plain data: a store writes it as JSON. */
import type { Penalty } from '@potluck/protocol'

import type { Evidence } from '../evidence/index.ts'
import type { AuditorRecord } from './auditors.ts'
import type { Findings } from './others.ts'
import { freshReliability, type Reliability } from './reliability.ts'
import { FRESH_SPEED, type Speed } from './speed.ts'

/** The events that are counted for `explain`. */
export type Cause = Penalty | 'complete' | 'served' | 'checked' | 'late' | 'audit'

export interface Integrity {
  /** The e-process over all audits by the user's own engine or node; absent before the first. Never decays. */
  evidence?: Evidence
  /** The natural logarithm of the evidence; 0 before the first audit. */
  logEvidence: number
  /** When these audits led to a quarantine, milliseconds since the epoch; undefined without one. */
  quarantinedAt?: number | undefined
  /** The audits by other nodes. */
  others?: Findings
  /** A ban is permanent. */
  banned?: Ban
}

export interface Ban {
  /** Milliseconds since the epoch. */
  at: number
  logEvidence: number
  /** By this client's own audits, or by a fraud proof of another client that this client has checked. */
  by: 'audit' | 'proof'
}

export interface PeerState {
  /** Milliseconds since the epoch. */
  firstSeen: number
  integrity: Integrity
  reliability: Reliability
  speed: Speed
  /** Answer tokens that this client received from the peer. */
  generatedTokens: number
  counts: Readonly<Partial<Record<Cause, { count: number; last: number }>>>
  /** The peer as an auditor of other nodes. Absent before its first audit with a result. */
  auditor?: AuditorRecord
}

/** Returns how many answer tokens of the peer the user's own engine or node audited. */
export function ownTokens({ integrity }: Pick<PeerState, 'integrity'>): number {
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
 * Parses a state from a store. Returns undefined for an older layout or a damaged row. The check is
 * shallow, because only this program writes the store.
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
