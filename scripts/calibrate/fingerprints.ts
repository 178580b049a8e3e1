/**
 * `npm run calibrate -- fingerprints [MODEL.gguf] [TOKENS]`: measures how far the fingerprints of honest machines differ,
 * and those of machines that compute another file. Prints one line for each way to compute.
 */
import { gapsIn } from '@potluck/protocol'
import { derive } from './derive.ts'
import type { Generated, Setup } from './engine.ts'
import { OTHER_KERNELS } from './kernels.ts'
import { SLOTS } from './variations.ts'
import type { Measurement, WorkerPool } from './worker-pool.ts'

const WINDOW = 16
/** A software Vulkan device computes a few tokens per second. */
const GPU_SHARE = 0.25

export interface Computed {
  name: string
  honest: boolean
  setup: Setup
  /** The share of the answers that are measured. Default 1. */
  share?: number
}

/**
 * Returns the ways to compute a model file.
 *
 * @param claimed the Q8_0 file
 * @param original the file from which the others are quantised
 */
export async function waysToCompute(claimed: string, original: string, gpu: boolean): Promise<Computed[]> {
  const honest = (name: string, setup: Partial<Setup>): Computed => ({
    name,
    honest: true,
    setup: { modelPath: claimed, slots: SLOTS, ...setup }
  })
  const cheat = async (type: 'F16' | 'Q5_1' | 'Q4_0'): Promise<Computed> => ({
    name: `${type} file`,
    honest: type === 'F16',
    setup: { modelPath: await derive(original, { kind: 'type', type }), slots: SLOTS }
  })
  const wide = await derive(claimed, { kind: 'f32' })
  return [
    honest('F16 cache', { cache: { keys: 'F16', values: 'F16', flashAttention: true } }),
    honest('F16 cache, no flash attention', { cache: { keys: 'F16', values: 'F16', flashAttention: false } }),
    honest('Q8_0/F16 cache', { cache: { keys: 'Q8_0', values: 'F16', flashAttention: true } }),
    honest('Q8_0 cache', { cache: { keys: 'Q8_0', values: 'Q8_0', flashAttention: true } }),
    ...OTHER_KERNELS.map((kernels) => honest(`${kernels} kernels`, { kernels })),
    ...(!gpu
      ? []
      : [
          {
            ...honest('GPU', { gpu: 'auto', slots: 1, cache: { keys: 'F16', values: 'F16', flashAttention: true } }),
            share: GPU_SHARE
          }
        ]),
    honest('activations not rounded', { modelPath: wide }),
    honest('activations not rounded, F16 cache', {
      modelPath: wide,
      cache: { keys: 'F16', values: 'F16', flashAttention: false }
    }),
    await cheat('F16'),
    await cheat('Q5_1'),
    {
      name: '5 bits',
      honest: false,
      setup: { modelPath: await derive(claimed, { kind: 'bits', bits: 5 }), slots: SLOTS }
    },
    await cheat('Q4_0')
  ]
}

export async function compareFingerprints(
  claimed: string,
  ways: readonly Computed[],
  tokens: number,
  workers: WorkerPool
): Promise<void> {
  const own = { modelPath: claimed, slots: SLOTS }
  const [answers] = await workers.answers(own, [{ tokens, seed: 7, sampling: 'every' }], 'answers')
  const [reference] = await workers.audits(own, [answers!], 'this machine')
  for (const { name, honest, setup, share = 1 } of ways) {
    const some = answers!.slice(0, Math.ceil(share * answers!.length))
    const measured = await workers.audits(setup, [some], name).catch((error: unknown) => String(error))
    if (typeof measured === 'string') console.log(`       ${name.padEnd(36)} not possible: ${measured}`)
    else report(name, honest, some, reference!, measured[0]!)
  }
}

function report(
  name: string,
  honest: boolean,
  answers: readonly Generated[],
  reference: readonly Measurement[],
  measured: readonly Measurement[]
): void {
  const all = answers.flatMap((_, index) => distances(reference[index]!.fingerprints, measured[index]!.fingerprints))
  const windows: number[][] = []
  for (let start = 0; start + WINDOW <= all.length; start += WINDOW) windows.push(all.slice(start, start + WINDOW))
  const of = (statistic: (window: number[]) => number): string => {
    const sorted = windows.map(statistic).sort((a, b) => a - b)
    const at = (share: number): string =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(3)
    return [at(0), at(0.01), at(0.5), at(0.99), at(0.999), at(1)].join(' ')
  }
  const mean = (window: number[]): number => window.reduce((sum, one) => sum + one, 0) / window.length
  const median = (window: number[]): number => window.toSorted((a, b) => a - b)[window.length / 2]!
  const largest = Math.max(...all).toFixed(2)
  console.log(
    `${honest ? 'honest' : 'CHEAT '} ${name.padEnd(36)} n ${windows.length} mean ${of(mean)} | median ${of(median)} | largest ${largest}`
  )
}

function distances(one: Uint8Array, other: Uint8Array): number[] {
  const others = gapsIn(other)
  return gapsIn(one).map((gaps, position) => {
    const squares = gaps.map((gap, rank) => (gap - others[position]![rank]!) ** 2)
    return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length)
  })
}
