/** Audited answers: a few hundred of each kind, of which lives of peers are made. */
import type { TokenMargin } from '@potluck/protocol'
import { countTokens, withCounted, type Counted } from '../../../client/evidence/count.ts'
import { BINS, OUTCOMES } from '../../../client/evidence/bins.ts'
import { NO_EVIDENCE, verdict, type Evidence } from '../../../client/evidence/evidence.ts'
import type { Generated } from '../../../scripts/calibrate/engine.ts'

export interface Audited extends Counted {
  tokens: number
}

/**
 * @param measured by answer and position
 * @param noise how many times larger every margin and gap is taken to be, as a noisier machine has them
 */
export function audited(
  answers: readonly Generated[],
  measured: readonly (readonly TokenMargin[])[],
  noise = 1
): Audited[] {
  return answers.map((answer, index) => {
    const tokens = measured[index]!.map(({ margin, gap }) => ({ margin: noise * margin, gap: noise * gap }))
    return { tokens: tokens.length, ...countTokens(answer, tokens) }
  })
}

export const tokensOf = (pool: readonly Audited[]): number => pool.reduce((sum, { tokens }) => sum + tokens, 0)

export function exactShare(pool: readonly Audited[]): number {
  return 1 - pool.reduce((sum, { mismatches }) => sum + mismatches.length, 0) / tokensOf(pool)
}

/** All answers' cells together. */
export function sumOf(pool: readonly Audited[]): number[] {
  const sum = Array.from({ length: BINS * OUTCOMES }, () => 0)
  for (const { cells } of pool) cells.forEach((count, cell) => (sum[cell]! += count))
  return sum
}

/** Audited tokens until a peer was quarantined and banned; Infinity where it was not. */
export interface Life {
  quarantined: number
  banned: number
  /** Natural logarithm of the evidence at its height. */
  peak: number
}

/** One peer's answers, audited one after the other until it is banned. */
export function live(answers: Iterable<Audited>): Life {
  let evidence: Evidence = NO_EVIDENCE
  let tokens = 0
  const life: Life = { quarantined: Infinity, banned: Infinity, peak: 0 }
  for (const answer of answers) {
    evidence = withCounted(evidence, answer)
    tokens += answer.tokens
    life.peak = evidence.peak
    const now = verdict(evidence)
    if (now !== 'clear') life.quarantined = Math.min(life.quarantined, tokens)
    if (now === 'banned') {
      life.banned = tokens
      break
    }
  }
  return life
}

/** A random order of the pool, each answer once. */
function shuffled<T>(pool: readonly T[], random: () => number): T[] {
  const order = [...pool]
  for (let last = order.length - 1; last > 0; last--) {
    const other = random() % (last + 1)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

/** Answers of a peer that cheats in this share of them, in a random order. */
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
