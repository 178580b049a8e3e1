/** Pools of audited answers, and simulated peers that take their answers from them. */
import { FINGERPRINT_BYTES } from '@potluck/protocol'
import { countMeasured, withCounted, type Counted } from '../../../client/evidence/count.ts'
import { CELLS, TOKEN_CELLS } from '../../../client/evidence/bins.ts'
import { windowsOf } from '../../../client/evidence/windows.ts'
import { NO_EVIDENCE, verdict, type Evidence } from '../../../client/evidence/evidence.ts'
import type { Generated } from '../../../scripts/calibrate/engine.ts'
import type { Measurement } from '../../../scripts/calibrate/worker-pool.ts'

export interface Audited extends Counted {
  tokens: number
}

/**
 * @param noise factor on every margin, gap and difference of fingerprints, to simulate a noisier machine
 */
export function toAudited(answers: readonly Generated[], measured: readonly Measurement[], noise = 1): Audited[] {
  return answers.map((answer, index) => {
    const { margins, fingerprints } = measured[index]!
    const tokens = margins.map(({ margin, gap }) => ({ margin: noise * margin, gap: noise * gap }))
    const windows = windowsOf(answer.fingerprints, fingerprints).map((window) => ({
      ...window,
      distance: noise * window.distance
    }))
    return { tokens: tokens.length, ...countMeasured(answer, tokens, windows) }
  })
}

/** Returns how many tokens of this answer ban a peer that the client has never audited: a multiple of 16, or Infinity. */
export function tokensToBan(answer: Generated, { margins, fingerprints }: Measurement): number {
  for (let tokens = STEP; tokens <= margins.length; tokens += STEP) {
    const part = [answer.fingerprints, fingerprints].map((all) => all.subarray(0, tokens * FINGERPRINT_BYTES))
    const counted = countMeasured(answer, margins.slice(0, tokens), windowsOf(part[0]!, part[1]!))
    if (verdict(withCounted(NO_EVIDENCE, counted)) === 'banned') return tokens
  }
  return Infinity
}

/** Tokens of the smallest window. */
const STEP = 16

export const tokensOf = (pool: readonly Audited[]): number => pool.reduce((sum, { tokens }) => sum + tokens, 0)

export function exactShare(pool: readonly Audited[]): number {
  const missed = ({ mismatches }: Audited): number => mismatches.filter(({ cell }) => cell < TOKEN_CELLS).length
  return 1 - pool.reduce((sum, audited) => sum + missed(audited), 0) / tokensOf(pool)
}

/** The counts of each cell, over all answers. */
export function sumOf(pool: readonly Audited[]): number[] {
  const sum = Array.from({ length: CELLS }, () => 0)
  for (const { cells } of pool) cells.forEach((count, cell) => (sum[cell]! += count))
  return sum
}

/** The result of all audits of one simulated peer. */
export interface AuditedPeer {
  /** Audited tokens until the peer was quarantined; Infinity if it was not. */
  quarantined: number
  /** Audited tokens until the peer was banned; Infinity if it was not. */
  banned: number
  /** Natural logarithm of the highest evidence. */
  peak: number
}

/** Audits the answers of one peer, one after the other, until it is banned. */
export function auditPeer(answers: Iterable<Audited>): AuditedPeer {
  let evidence: Evidence = NO_EVIDENCE
  let tokens = 0
  const peer: AuditedPeer = { quarantined: Infinity, banned: Infinity, peak: 0 }
  for (const answer of answers) {
    evidence = withCounted(evidence, answer)
    tokens += answer.tokens
    peer.peak = evidence.peak
    const now = verdict(evidence)
    if (now !== 'clear') peer.quarantined = Math.min(peer.quarantined, tokens)
    if (now === 'banned') {
      peer.banned = tokens
      break
    }
  }
  return peer
}

/** The pool in a random order. */
function shuffled<T>(pool: readonly T[], random: () => number): T[] {
  const order = [...pool]
  for (let last = order.length - 1; last > 0; last--) {
    const other = random() % (last + 1)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

/** The answers of a peer that cheats in the given share of them, in a random order. */
export function* mixed<T>(
  honest: readonly T[],
  cheated: readonly T[],
  share: number,
  random: () => number
): Generator<T> {
  const [good, bad] = [shuffled(honest, random), shuffled(cheated, random)]
  for (;;) {
    const next = (random() / 2 ** 32 < share ? bad : good).pop()
    if (next === undefined) return
    yield next
  }
}
