/** What a peer may do in place of serving the model that it says. */
import type { Generated, Setup } from '../../../scripts/calibrate/engine.ts'
import type { Laboratory } from '../../../scripts/calibrate/laboratory.ts'
import { derive, type Derivation } from '../../../scripts/calibrate/derive.ts'
import { SLOTS } from '../../../scripts/calibrate/variations.ts'
import { crumb } from '../../../node/models/crumb.ts'

export interface Cheat {
  /** File that is said to be served; the auditor's. */
  claimed: string
  /** File that is served. */
  served: () => Promise<string>
  halfPrompt?: boolean
}

const { Q8_0, Q4_0 } = crumb
const instead = (derivation: Derivation): Cheat => ({
  claimed: Q8_0.path,
  served: () => derive(Q8_0.path, derivation)
})

/** What end 1 of the audit asks for. */
export const CHEATS: Readonly<Record<string, Cheat>> = {
  'Q4_0 as Q8_0': { claimed: Q8_0.path, served: () => Promise.resolve(Q4_0.path) },
  '3 bits as Q8_0': instead({ kind: 'bits', bits: 3 }),
  'Q8_0 as Q4_0': { claimed: Q4_0.path, served: () => Promise.resolve(Q8_0.path) },
  'half of the prompt': { claimed: Q8_0.path, served: () => Promise.resolve(Q8_0.path), halfPrompt: true },
  'without one of 4 layers': instead({ kind: 'without', layer: 2 }),
  'another fine-tune': instead({ kind: 'noise', share: 0.05 })
}

/** Shown beside them: a third of the file's size saved, and hardly a difference in the answers. */
export const FAINT_CHEATS: Readonly<Record<string, Cheat>> = { '5 bits as Q8_0': instead({ kind: 'bits', bits: 5 }) }

/** Answers of a peer that cheats in all of them, a pool for each temperature. */
export async function cheatedAnswers(
  { served, halfPrompt = false }: Cheat,
  wanted: { tokens: number; seed: number; temperatures: readonly number[] },
  laboratory: Laboratory,
  label: string
): Promise<Generated[][]> {
  const { tokens, seed, temperatures } = wanted
  const setup: Setup = { modelPath: await served(), slots: SLOTS }
  const pools = temperatures.map((temperature) => ({ tokens, seed, sampling: { temperature }, halfPrompt }))
  return laboratory.answers(setup, pools, `answers: ${label}`)
}
