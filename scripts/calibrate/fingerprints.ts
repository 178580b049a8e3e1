/**
 * Compares fingerprints. One engine generates answers, and computes their fingerprints as an auditor does. Then every
 * other way to compute the model does the same, honest or not. See `../calibrate.ts`.
 */
import { getLlamaGpuTypes } from 'node-llama-cpp'
import { distancesOf, windowsOf } from '@potluck/protocol'
import { crumb } from '../../node/models/crumb.ts'
import { derive } from './derive.ts'
import type { CacheFormat, Setup } from './engine.ts'
import { OTHER_KERNELS } from './kernels.ts'
import { SLOTS } from './variations.ts'
import { WorkerPool, type Measurement } from './worker-pool.ts'

/** Not the seed of the other calibration, nor of the benchmark. */
const SEED = 7
/** A software GPU computes a few tokens per second, so it measures this share of the answers. */
const GPU_SHARE = 0.25

interface Way {
  name: string
  /** Whether a node that computes like this is honest. */
  honest: boolean
  setup: Setup
  share?: number
}

/** Prints one line for each way to compute the model. */
export async function compareFingerprints(
  tokens: number,
  modelPath: string | undefined,
  signal: AbortSignal
): Promise<void> {
  const pool = new WorkerPool(signal, (text) => console.error(text))
  const claimed = modelPath === undefined ? crumb.Q8_0.path : await derive(modelPath, { kind: 'type', type: 'Q8_0' })
  const own = { modelPath: claimed, slots: SLOTS }
  const [answers] = await pool.answers(own, [{ tokens, seed: SEED, sampling: 'every' }], 'answers')
  const [reference] = await pool.audits(own, [answers!], 'this machine')
  for (const { name, honest, setup, share = 1 } of await waysToCompute(claimed, modelPath ?? claimed)) {
    const some = answers!.slice(0, Math.ceil(share * answers!.length))
    const label = `${honest ? 'honest' : 'cheat '} ${name.padEnd(38)}`
    const line = await pool.audits(setup, [some], name).then(
      ([measured]) => summary(reference!, measured!),
      (error: unknown) => `not possible: ${error instanceof Error ? error.message : String(error)}`
    )
    console.log(`${label} ${line}`)
  }
}

/**
 * @param claimed the Q8_0 file
 * @param original the file from which the others are quantised
 */
async function waysToCompute(claimed: string, original: string): Promise<Way[]> {
  const compute = (name: string, honest: boolean, setup: Partial<Setup>): Way => ({
    name,
    honest,
    setup: { modelPath: claimed, slots: SLOTS, ...setup }
  })
  const cache = (keys: CacheFormat, values: CacheFormat, flashAttention = true): Partial<Setup> => ({
    cache: { keys, values, flashAttention }
  })
  const file = async (type: 'F16' | 'Q5_1' | 'Q4_0'): Promise<Way> =>
    compute(`${type} file`, type === 'F16', { modelPath: await derive(original, { kind: 'type', type }) })
  const singles = { modelPath: await derive(claimed, { kind: 'f32' }) }
  const [gpu] = (await getLlamaGpuTypes('supported')).filter((type) => type !== false)
  return [
    compute('F16 cache', true, cache('F16', 'F16')),
    compute('F16 cache, no flash attention', true, cache('F16', 'F16', false)),
    compute('Q8_0/F16 cache', true, cache('Q8_0', 'F16')),
    compute('Q8_0 cache', true, cache('Q8_0', 'Q8_0')),
    ...OTHER_KERNELS.map((kernels) => compute(`${kernels} kernels`, true, { kernels })),
    compute('activations not rounded', true, singles),
    compute('activations not rounded, F16 cache', true, { ...singles, ...cache('F16', 'F16', false) }),
    await file('F16'),
    await file('Q5_1'),
    compute('5 bits', false, { modelPath: await derive(claimed, { kind: 'bits', bits: 5 }) }),
    await file('Q4_0'),
    compute('Q4_0 cache', false, cache('Q4_0', 'Q4_0')),
    compute('another fine-tune', false, { modelPath: await derive(claimed, { kind: 'noise', share: 0.05 }) }),
    // Last, because a software GPU takes minutes.
    ...(gpu === undefined
      ? []
      : [{ ...compute(gpu, true, { gpu: 'auto', slots: 1, ...cache('F16', 'F16') }), share: GPU_SHARE }])
  ]
}

function summary(reference: readonly Measurement[], measured: readonly Measurement[]): string {
  const distances = measured
    .flatMap(({ fingerprints }, index) => windowsOf(distancesOf(fingerprints, reference[index]!.fingerprints)))
    .map(({ distance }) => distance)
    .sort((a, b) => a - b)
  const at = (share: number): string => distances[Math.floor(share * (distances.length - 1))]!.toFixed(3)
  return `${distances.length} windows, least ${at(0)}, median ${at(0.5)}, 99 % ${at(0.99)}, most ${at(1)}`
}
