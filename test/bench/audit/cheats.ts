/** What a peer may do in place of serving the model that it says. */
import { answers } from '../../../scripts/calibrate/answers.ts'
import { derive, type Derivation } from '../../../scripts/calibrate/derive.ts'
import { LabEngine, type Generated } from '../../../scripts/calibrate/engine.ts'
import { SLOTS } from '../../../scripts/calibrate/variations.ts'
import { crumb } from '../../../node/models/crumb.ts'

export interface Cheat {
  /** File that is said to be served; the auditor's. */
  claimed: string
  /** File that is served. */
  served: () => Promise<string>
  evaluated?: (promptTokens: readonly number[]) => readonly number[]
}

const { Q8_0, Q4_0 } = crumb
const instead = (derivation: Derivation): Cheat => ({
  claimed: Q8_0.path,
  served: () => derive(Q8_0.path, derivation)
})

export const CHEATS: Readonly<Record<string, Cheat>> = {
  'Q4_0 as Q8_0': { claimed: Q8_0.path, served: () => Promise.resolve(Q4_0.path) },
  '3 bits as Q8_0': instead({ kind: 'bits', bits: 3 }),
  'Q8_0 as Q4_0': { claimed: Q4_0.path, served: () => Promise.resolve(Q8_0.path) },
  'half of the prompt': {
    claimed: Q8_0.path,
    served: () => Promise.resolve(Q8_0.path),
    // Its second half, so that the answer still begins as one.
    evaluated: (tokens) => [tokens[0]!, ...tokens.slice(Math.ceil(tokens.length / 2))]
  },
  'without one of 5 layers': instead({ kind: 'without', layer: 2 }),
  'another fine-tune': instead({ kind: 'noise', share: 0.05 }),
  // No end asks for it: a twentieth of the file's size saved, and hardly a difference in the answers.
  '5 bits as Q8_0': instead({ kind: 'bits', bits: 5 })
}

/** Answers of a peer that cheats in all of them. */
export async function cheat(
  { served, evaluated }: Cheat,
  wanted: { tokens: number; seed: number; temperature: number },
  signal: AbortSignal
): Promise<Generated[]> {
  const { temperature, ...rest } = wanted
  const engine = await LabEngine.start(await served(), { slots: SLOTS })
  const made = await answers(
    engine,
    { ...rest, sampling: () => ({ temperature }), ...(evaluated === undefined ? {} : { evaluated }) },
    signal
  )
  await engine.close()
  return made
}
