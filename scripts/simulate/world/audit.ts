/**
 * Simulates audits. Only audits show a client whether a peer is honest. For each audited token, the simulation draws a
 * gap and a margin from the distribution that was measured for the model file that the peer really used. The client's
 * real code computes the evidence from them.
 */
import { readFileSync } from 'node:fs'
import type { TokenMargin } from '@potluck/protocol'
import { BINS, EDGES, OUTCOMES } from '../../../client/evidence/bins.ts'
import { logEvidence, NO_EVIDENCE, withAnswer, type Evidence } from '../../../client/evidence/evidence.ts'
import type { Random } from '../random.ts'

/**
 * For each model file that a peer can use instead of the claimed file, the probability of each cell for a token. A cell
 * is a range of gaps and a range of margins (`client/evidence/bins.ts`). `npm run bench -- audit --write-distribution`
 * measures the probabilities and writes the file.
 */
export type Distribution = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface Finding {
  evidence: Evidence
  logEvidence: number
}

export const HONEST = 'honest'

/** A cell, and the sum of the probabilities of all cells up to this one. */
interface Step {
  cell: number
  upTo: number
}

export function readDistribution(): Distribution {
  const file = new URL('../audit-distribution.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Distribution
}

export class AuditModel {
  /** Names of the model files that can be served instead of the claimed one. */
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

  /** Returns what an honest auditor measures of an answer. */
  measure(served: string, tokens: number, random: Random): TokenMargin[] {
    return this.#draw(served, tokens, random).map(tokenIn)
  }

  /** Returns the evidence after one more audited answer. */
  audit(served: string, tokens: number, before: Evidence | undefined, random: Random): Finding {
    const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
    for (const cell of this.#draw(served, tokens, random)) cells[cell]!++
    const evidence = withAnswer(before ?? NO_EVIDENCE, cells)
    return { evidence, logEvidence: logEvidence(evidence) }
  }

  /** Returns the cell of each token. */
  #draw(served: string, tokens: number, random: Random): number[] {
    const steps = this.#cases.get(served)
    if (steps === undefined) throw new Error(`There is no audit distribution for ${served}.`)
    return Array.from({ length: tokens }, () => {
      const point = random.next() * steps.at(-1)!.upTo
      return steps.find(({ upTo }) => point < upTo)!.cell
    })
  }
}

/** Returns a token in this cell: the upper edges of its bins, or twice the last edge. */
function tokenIn(cell: number): TokenMargin {
  const edge = (bin: number): number => EDGES[bin] ?? 2 * EDGES.at(-1)!
  const outcome = cell % OUTCOMES
  return { gap: edge(Math.floor(cell / OUTCOMES)), margin: outcome === 0 ? 0 : edge(outcome - 1) }
}
