/** The ways in which honest nodes compute the same file. */
import type { TokenMargin } from '@potluck/protocol'
import { derive } from './derive.ts'
import type { Generated, Setup } from './engine.ts'
import type { Laboratory } from './laboratory.ts'

interface HonestVariation extends Omit<Setup, 'modelPath'> {
  /** Generations at once. */
  slots: number
  /** Activations as they are, instead of cut to 8 bits as llama.cpp does on a CPU: the way of most GPUs' prefills. */
  wideActivations?: boolean
  /** The variation with the same arithmetic: there is less to measure, and it is counted with that. */
  like?: string
}

/** Many at once share an evaluation, which on a busy machine is what takes the time. */
export const SLOTS = 16

/** What llama.cpp does unless told otherwise, without and with flash attention, and what saves the most memory. */
const F16 = { keys: 'F16', values: 'F16', flashAttention: false } as const
const F16_FLASH = { ...F16, flashAttention: true } as const
/** What the product takes on processors other than x86 (`node/engine/llama/cache.ts`). */
const Q8_KEYS = { keys: 'Q8_0', values: 'F16', flashAttention: true } as const
const Q8_FLASH = { keys: 'Q8_0', values: 'Q8_0', flashAttention: true } as const

const HONEST_VARIATIONS: Readonly<Record<string, HonestVariation>> = {
  'as shipped': { slots: SLOTS },
  'batches of 32': { slots: 1, batchSize: 32, like: 'as shipped' },
  // Very slow where both threads have to share a core, as on a busy machine.
  'two threads': { slots: 1, threads: 2, like: 'as shipped' },
  'as shipped, not on x86': { slots: SLOTS, cache: Q8_KEYS },
  'F16 KV': { slots: SLOTS, cache: F16 },
  'F16 KV, flash attention': { slots: SLOTS, cache: F16_FLASH },
  'Q8 KV': { slots: SLOTS, cache: Q8_FLASH },
  'wide activations': { slots: SLOTS, wideActivations: true },
  'wide activations, F16 KV': { slots: SLOTS, wideActivations: true, cache: F16 }
}

/** Those that compute differently: auditors of the others. */
const UNLIKE: readonly string[] = Object.keys(HONEST_VARIATIONS).filter(
  (name) => HONEST_VARIATIONS[name]!.like === undefined
)

/** Tokens of a variation that is like another, of those that the others get. */
const LIKE_SHARE = 0.05

/** Answers of every variation. */
export async function honestAnswers(
  modelPath: string,
  wanted: { tokens: number; seed: number },
  laboratory: Laboratory
): Promise<Map<string, Generated[]>> {
  const entries = Object.entries(HONEST_VARIATIONS).map(async ([name, variation]) => {
    const tokens = variation.like === undefined ? wanted.tokens : wanted.tokens * LIKE_SHARE
    const setup = await setupOf(modelPath, variation)
    const [made] = await laboratory.answers(
      setup,
      [{ ...wanted, tokens, sampling: 'every' }],
      `honest answers: ${name}`
    )
    return [name, made!] as const
  })
  return new Map(await Promise.all(entries))
}

/** What each of the unlike measures of all these answers: by auditor, then by node. */
export async function honestAudits(
  modelPath: string,
  made: ReadonlyMap<string, readonly Generated[]>,
  laboratory: Laboratory
): Promise<HonestAudit[]> {
  const audits = UNLIKE.map(async (auditor) => {
    const setup = await setupOf(modelPath, HONEST_VARIATIONS[auditor]!)
    const pools = await laboratory.audits(setup, [...made.values()], `honest audits: ${auditor}`)
    return [...made].map(([node, answers], index) => ({ node, auditor, answers, measured: pools[index]! }))
  })
  return (await Promise.all(audits)).flat()
}

/** One node's answers, seen by one auditor. */
export interface HonestAudit {
  node: string
  auditor: string
  answers: readonly Generated[]
  /** By answer and position. */
  measured: readonly (readonly TokenMargin[])[]
}

/** Whether the two compute alike, so that they have to agree to the bit. */
export function areAlike({ node, auditor }: Pick<HonestAudit, 'node' | 'auditor'>): boolean {
  return (HONEST_VARIATIONS[node]?.like ?? node) === auditor
}

/** @param modelPath a Q8_0 file */
async function setupOf(
  modelPath: string,
  { wideActivations = false, like: _, ...rest }: HonestVariation
): Promise<Setup> {
  return { ...rest, modelPath: wideActivations ? await derive(modelPath, { kind: 'f32' }) : modelPath }
}
