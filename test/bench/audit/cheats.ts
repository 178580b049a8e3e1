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

/** A model in two formats. */
export interface Files {
  Q8_0: string
  Q4_0: string
}

/** @param modelPath a file of type F32; undefined: crumb */
export async function filesOf(modelPath: string | undefined): Promise<Files> {
  if (modelPath === undefined) return { Q8_0: crumb.Q8_0.path, Q4_0: crumb.Q4_0.path }
  return {
    Q8_0: await derive(modelPath, { kind: 'type', type: 'Q8_0' }),
    Q4_0: await derive(modelPath, { kind: 'type', type: 'Q4_0' })
  }
}

function instead({ Q8_0 }: Files, derivation: Derivation): Cheat {
  return { claimed: Q8_0, served: () => derive(Q8_0, derivation) }
}

/** The cheats that audits must detect. The simulator uses the same names. */
export const cheats = (files: Files): Readonly<Record<string, Cheat>> => ({
  'Q4_0 as Q8_0': { claimed: files.Q8_0, served: () => Promise.resolve(files.Q4_0) },
  '3 bits as Q8_0': instead(files, { kind: 'bits', bits: 3 }),
  'Q8_0 as Q4_0': { claimed: files.Q4_0, served: () => Promise.resolve(files.Q8_0) },
  'half of the prompt': { claimed: files.Q8_0, served: () => Promise.resolve(files.Q8_0), halfPrompt: true },
  'without one of 4 layers': instead(files, { kind: 'without', layer: 2 }),
  'another fine-tune': instead(files, { kind: 'noise', share: 0.05 })
})

/** The simulator does not know it. It saves a third of the file's size, but its tokens hardly differ from honest tokens. */
export const faintCheats = (files: Files): Readonly<Record<string, Cheat>> => ({
  '5 bits as Q8_0': instead(files, { kind: 'bits', bits: 5 })
})

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
