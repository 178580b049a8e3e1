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
 * Probabilities of a token's cell (see `client/audit/bins.ts`), by what was served as the claimed model.
 * Measured, and written by `npm run bench -- audit --write-distribution`.
 */
export interface Distribution {
  /** The cells that occur. */
  cells: readonly number[]
  cases: Readonly<Record<string, readonly number[]>>
}

export interface Finding {
  evidence: Evidence
  logEvidence: number
}

export const HONEST = 'honest'

export function readDistribution(): Distribution {
  const file = new URL('../audit-distribution.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Distribution
}

export class AuditModel {
  /** What may be served in place of the claimed model. */
  readonly cheats: readonly string[]
  readonly #cells: readonly number[]
  readonly #cumulated: ReadonlyMap<string, readonly number[]>

  constructor(distribution: Distribution) {
    this.#cells = distribution.cells
    this.cheats = Object.keys(distribution.cases).filter((name) => name !== HONEST)
    this.#cumulated = new Map(
      Object.entries(distribution.cases).map(([name, shares]) => {
        let sum = 0
        return [name, shares.map((share) => (sum += share))]
      })
    )
  }

  static load(): AuditModel {
    return new AuditModel(readDistribution())
  }

  /** The evidence after one more audited answer. */
  audit(served: string, tokens: number, before: Evidence | undefined, random: Random): Finding {
    const cumulated = this.#cumulated.get(served)
    if (cumulated === undefined) throw new Error(`No audit distribution for ${served}.`)
    const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
    for (let token = 0; token < tokens; token++) {
      const share = random.next() * cumulated.at(-1)!
      cells[this.#cells[cumulated.findIndex((sum) => share < sum)]!]!++
    }
    const evidence = withAnswer(before ?? NO_EVIDENCE, cells)
    return { evidence, logEvidence: logEvidence(evidence) }
  }
}
