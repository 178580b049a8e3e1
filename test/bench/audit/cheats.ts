/**
 * The ways in which a peer cheats: it serves another model than it claims, keeps its cache in 4 bits, evaluates only
 * half of the prompt, or asks the true model only where the cheap one is not sure.
 */
import { FINGERPRINT_BYTES } from '@potluck/protocol'
import type { Generated, Setup } from '../../../scripts/calibrate/engine.ts'
import { derive, type Derivation } from '../../../scripts/calibrate/derive.ts'
import { SLOTS } from '../../../scripts/calibrate/variations.ts'
import type { Measurement, WorkerPool } from '../../../scripts/calibrate/worker-pool.ts'
import { crumb } from '../../../node/models/crumb.ts'

export interface Cheat {
  /** The file that the peer claims to serve. The auditor uses it. */
  claimed: string
  /** The file that the peer really serves. */
  served: () => Promise<string>
  /** Whether the peer evaluates only half of each prompt, and in which turn of a chat. */
  halfPrompt?: 'first' | 'second'
  /** The cache of the peer. Default: the product's. */
  cache?: Setup['cache']
  /** Whether the peer asks the true model at near ties of the cheap model. */
  verified?: boolean
}

/** The peer asks the true model where the gap of the cheap one is smaller, in logits. */
const NEAR_TIE = 1

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
  'half of the prompt': { claimed: files.Q8_0, served: () => Promise.resolve(files.Q8_0), halfPrompt: 'first' },
  'without one of 4 layers': instead(files, { kind: 'without', layer: 2 }),
  'another fine-tune': instead(files, { kind: 'noise', share: 0.05 })
})

/** The simulator does not have these cheats: their tokens hardly differ from honest tokens. */
export const faintCheats = (files: Files): Readonly<Record<string, Cheat>> => ({
  '5 bits as Q8_0': instead(files, { kind: 'bits', bits: 5 }),
  // The second half usually has all of the user's last message, so the node leaves out the turn before it.
  'half of the prompt, in the second turn': {
    claimed: files.Q8_0,
    served: () => Promise.resolve(files.Q8_0),
    halfPrompt: 'second'
  },
  'Q4_0 cache': {
    claimed: files.Q8_0,
    served: () => Promise.resolve(files.Q8_0),
    cache: { keys: 'Q4_0', values: 'Q4_0', flashAttention: true }
  },
  'Q4_0, verified at near ties': {
    claimed: files.Q8_0,
    served: () => Promise.resolve(files.Q4_0),
    verified: true
  }
})

/** Generates answers of a peer that cheats in all of them, one pool per temperature. */
export async function cheatedAnswers(
  { claimed, served, halfPrompt, cache, verified = false }: Cheat,
  spec: { tokens: number; seed: number; temperatures: readonly number[] },
  workers: WorkerPool,
  label: string
): Promise<Generated[][]> {
  const { tokens, seed, temperatures } = spec
  const half = halfPrompt === undefined ? {} : { halfPrompt: true, turn: halfPrompt }
  const pools = temperatures.map((temperature) => ({ tokens, seed, sampling: { temperature }, ...half }))
  const cheap: Setup = { modelPath: await served(), slots: SLOTS, ...(cache === undefined ? {} : { cache }) }
  const answers = await workers.answers(
    verified ? { modelPath: claimed, slots: SLOTS } : cheap,
    pools,
    `answers: ${label}`
  )
  if (!verified) return answers
  const measured = await workers.audits(cheap, answers, `cheap model: ${label}`)
  return answers.map((pool, index) => pool.map((answer, at) => verifiedAnswer(answer, measured[index]![at]!)))
}

/**
 * Returns the answer of a peer that asks the true model at near ties. Its tokens are all true, as if the cheap model
 * were right wherever it is sure. So only the fingerprints speak against the peer.
 */
function verifiedAnswer(answer: Generated, { margins, fingerprints: cheap }: Measurement): Generated {
  const fingerprints = Uint8Array.from(answer.fingerprints, (byte, at) =>
    margins[Math.floor(at / FINGERPRINT_BYTES)]!.gap < NEAR_TIE ? byte : cheap[at]!
  )
  return { ...answer, fingerprints }
}
