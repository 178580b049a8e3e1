/**
 * What an audit would find. Nothing of a peer's honesty reaches a client but through here: each
 * audited token is drawn from the distribution of the file that the peer really used, and goes into
 * the same e-process as a real one.
 */
import { readFileSync } from 'node:fs'
import { BINS, OUTCOMES } from '../../../client/audit/bins.ts'
import { logEvidence, NO_EVIDENCE, withAnswer, type Evidence } from '../../../client/audit/evidence.ts'
import type { Random } from '../random.ts'

/**
 * By what was served as the claimed model, by cell (see `client/audit/bins.ts`) its probability for a token.
 * Measured, and written by `npm run bench -- audit --write-distribution`.
 */
export type Distribution = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface Finding {
  evidence: Evidence
  logEvidence: number
}

export const HONEST = 'honest'

/** A cell, and the probability of it or one before it. */
interface Step {
  cell: number
  upTo: number
}

export function readDistribution(): Distribution {
  const file = new URL('../audit-distribution.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Distribution
}

export class AuditModel {
  /** What may be served in place of the claimed model. */
  readonly cheats: readonly string[]
  readonly #cases: ReadonlyMap<string, readonly Step[]>

  constructor(distribution: Distribution) {
    this.cheats = Object.keys(distribution).filter((name) => name !== HONEST)
    this.#cases = new Map(
      Object.entries(distribution).map(([name, shares]) => {
        let upTo = 0
        return [name, Object.entries(shares).map(([cell, share]) => ({ cell: Number(cell), upTo: (upTo += share) }))]
      })
    )
  }

  static load(): AuditModel {
    return new AuditModel(readDistribution())
  }

  /** The evidence after one more audited answer. */
  audit(served: string, tokens: number, before: Evidence | undefined, random: Random): Finding {
    const steps = this.#cases.get(served)
    if (steps === undefined) throw new Error(`No audit distribution for ${served}.`)
    const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
    for (let token = 0; token < tokens; token++) {
      const point = random.next() * steps.at(-1)!.upTo
      cells[steps.find(({ upTo }) => point < upTo)!.cell]!++
    }
    const evidence = withAnswer(before ?? NO_EVIDENCE, cells)
    return { evidence, logEvidence: logEvidence(evidence) }
  }
}
