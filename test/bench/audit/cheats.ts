/** The ways in which a peer cheats: it serves another model than it claims, or evaluates only half of the prompt. */
import type { Generated, Setup } from '../../../scripts/calibrate/engine.ts'
import { derive, type Derivation } from '../../../scripts/calibrate/derive.ts'
import { SLOTS } from '../../../scripts/calibrate/variations.ts'
import type { WorkerPool } from '../../../scripts/calibrate/worker-pool.ts'
import { crumb } from '../../../node/models/crumb.ts'

export interface Cheat {
  /** The file that the peer claims to serve. The auditor uses it. */
  claimed: string
  /** The file that the peer really serves. */
  served: () => Promise<string>
  /** Whether the peer evaluates only half of each prompt. */
  halfPrompt?: boolean
}

const { Q8_0, Q4_0 } = crumb
const instead = (derivation: Derivation): Cheat => ({
  claimed: Q8_0.path,
  served: () => derive(Q8_0.path, derivation)
})

/** The cheats that audits must detect. The simulator uses the same names. */
export const CHEATS: Readonly<Record<string, Cheat>> = {
  'Q4_0 as Q8_0': { claimed: Q8_0.path, served: () => Promise.resolve(Q4_0.path) },
  '3 bits as Q8_0': instead({ kind: 'bits', bits: 3 }),
  'Q8_0 as Q4_0': { claimed: Q4_0.path, served: () => Promise.resolve(Q8_0.path) },
  'half of the prompt': { claimed: Q8_0.path, served: () => Promise.resolve(Q8_0.path), halfPrompt: true },
  'without one of 4 layers': instead({ kind: 'without', layer: 2 }),
  'another fine-tune': instead({ kind: 'noise', share: 0.05 })
}

/** Only for comparison. It saves a third of the file's size, but its answers hardly differ from honest answers. */
export const FAINT_CHEATS: Readonly<Record<string, Cheat>> = { '5 bits as Q8_0': instead({ kind: 'bits', bits: 5 }) }

/** Generates answers of a peer that cheats in all of them, one pool per temperature. */
export async function cheatedAnswers(
  { served, halfPrompt = false }: Cheat,
  spec: { tokens: number; seed: number; temperatures: readonly number[] },
  workers: WorkerPool,
  label: string
): Promise<Generated[][]> {
  const { tokens, seed, temperatures } = spec
  const setup: Setup = { modelPath: await served(), slots: SLOTS }
  const pools = temperatures.map((temperature) => ({ tokens, seed, sampling: { temperature }, halfPrompt }))
  return workers.answers(setup, pools, `answers: ${label}`)
}
