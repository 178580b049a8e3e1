/** The ways in which honest nodes compute the same model file differently: threads, batches and types of the cache. */
import type { PoolSpec } from './answers.ts'
import { derive } from './derive.ts'
import type { Generated, Setup } from './engine.ts'
import type { Measurement, WorkerPool } from './worker-pool.ts'

interface HonestVariation extends Omit<Setup, 'modelPath'> {
  /** Concurrent generations. */
  slots: number
  /**
   * Compute with activations that are not rounded to 8 bits. On a CPU, llama.cpp rounds them. On most GPUs it does not,
   * in a prefill.
   */
  wideActivations?: boolean
  /**
   * The name of a variation with the same arithmetic, and so the same logits. This variation then generates only a few
   * answers and audits none.
   */
  sameAs?: string
}

/** Concurrent generations. The engine evaluates them in one batch, which saves most of the time. */
export const SLOTS = 16

/** llama.cpp's defaults, without and with flash attention. */
const F16 = { keys: 'F16', values: 'F16', flashAttention: false } as const
const F16_FLASH = { ...F16, flashAttention: true } as const
/** The product's cache with more than one thread. */
const BF16_KEYS = { keys: 'BF16', values: 'F16', flashAttention: true } as const
/** The product's cache on processors other than x86 (`node/engine/llama/cache.ts`). */
const Q8_KEYS = { keys: 'Q8_0', values: 'F16', flashAttention: true } as const
/** The cache that takes the least memory. */
const Q8_FLASH = { keys: 'Q8_0', values: 'Q8_0', flashAttention: true } as const

const HONEST_VARIATIONS: Readonly<Record<string, HonestVariation>> = {
  'as shipped': { slots: SLOTS },
  'BF16 keys': { slots: SLOTS, cache: BF16_KEYS },
  'BF16 keys, batches of 32': { slots: 1, cache: BF16_KEYS, batchSize: 32, sameAs: 'BF16 keys' },
  // Very slow on a busy machine, where both threads share a core.
  'two threads': { slots: 1, threads: 2, sameAs: 'BF16 keys' },
  'as shipped, not on x86': { slots: SLOTS, cache: Q8_KEYS },
  'F16 KV': { slots: SLOTS, cache: F16 },
  'F16 KV, flash attention': { slots: SLOTS, cache: F16_FLASH },
  'Q8 KV': { slots: SLOTS, cache: Q8_FLASH },
  'wide activations': { slots: SLOTS, wideActivations: true },
  'wide activations, F16 KV': { slots: SLOTS, wideActivations: true, cache: F16 },
  ...(process.platform === 'linux' && process.arch === 'x64'
    ? { 'sse42 kernels': { slots: SLOTS, kernels: 'sse42' }, 'haswell kernels': { slots: SLOTS, kernels: 'haswell' } }
    : {})
}

/** The variations that audit: one of each arithmetic. Each of them audits the answers of all variations. */
const AUDITORS: readonly string[] = Object.keys(HONEST_VARIATIONS).filter(
  (name) => HONEST_VARIATIONS[name]!.sameAs === undefined
)

/** A variation with `sameAs` generates this share of the tokens that the others generate. */
const SAME_SHARE = 0.05

export interface HonestSpec {
  /** Of each variation. */
  tokens: number
  seed: number
  /** Default: `every`. */
  sampling?: PoolSpec['sampling']
}

/** Generates answers with every variation. */
export async function honestAnswers(
  modelPath: string,
  spec: HonestSpec,
  workers: WorkerPool
): Promise<Map<string, Generated[]>> {
  const entries = Object.entries(HONEST_VARIATIONS).map(async ([name, variation]) => {
    const tokens = variation.sameAs === undefined ? spec.tokens : spec.tokens * SAME_SHARE
    const setup = await setupOf(modelPath, variation)
    const [made] = await workers
      .answers(setup, [{ sampling: 'every', ...spec, tokens }], `honest answers: ${name}`)
      .catch(unlessImpossible)
    return [name, made!] as const
  })
  return new Map((await Promise.all(entries)).filter(([, made]) => made !== undefined))
}

/**
 * Not every model can have every type of cache: llama.cpp packs 32 values of Q8_0 together, and a head can have fewer.
 */
export function unlessImpossible(error: unknown): [] {
  if (error instanceof Error && error.message === 'Failed to create context') return []
  throw error
}

/** Every auditor measures all answers. The result is sorted by auditor, then by node. */
export async function honestAudits(
  modelPath: string,
  made: ReadonlyMap<string, readonly Generated[]>,
  workers: WorkerPool
): Promise<HonestAudit[]> {
  const audits = AUDITORS.filter((auditor) => made.has(auditor)).map(async (auditor) => {
    const setup = await setupOf(modelPath, HONEST_VARIATIONS[auditor]!)
    const pools = await workers.audits(setup, [...made.values()], `honest audits: ${auditor}`)
    return [...made].map(([node, answers], index) => ({
      node,
      auditor,
      answers,
      measured: pools[index]!
    }))
  })
  return (await Promise.all(audits)).flat()
}

/** The audits of one node's answers by one auditor. */
export interface HonestAudit {
  node: string
  auditor: string
  answers: readonly Generated[]
  /** By answer. */
  measured: readonly Measurement[]
}

/** Whether node and auditor have the same arithmetic. Then their logits must be the same to the bit. */
export function haveSameArithmetic({ node, auditor }: Pick<HonestAudit, 'node' | 'auditor'>): boolean {
  return (HONEST_VARIATIONS[node]?.sameAs ?? node) === auditor
}

/** @param modelPath a Q8_0 file */
async function setupOf(
  modelPath: string,
  { wideActivations = false, sameAs: _, ...rest }: HonestVariation
): Promise<Setup> {
  return { ...rest, modelPath: wideActivations ? await derive(modelPath, { kind: 'f32' }) : modelPath }
}
