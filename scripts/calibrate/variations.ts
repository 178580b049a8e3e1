/** The ways in which honest nodes compute the same file. */
import { derive } from './derive.ts'
import { LabEngine, type Variation } from './engine.ts'

export interface HonestVariation extends Variation {
  /** Generations at once. */
  slots: number
  /** Activations as they are, instead of cut to 8 bits as llama.cpp does on a CPU: the way of most GPUs' prefills. */
  wideActivations?: boolean
  /** The variation with the same arithmetic: there is less to measure, and it is counted with that. */
  like?: string
}

/** Many at once share an evaluation, which on a busy machine is what takes the time. */
export const SLOTS = 16

export const HONEST_VARIATIONS: Readonly<Record<string, HonestVariation>> = {
  'as shipped': { slots: SLOTS },
  'one slot, small batches': { slots: 1, batchSize: 32 },
  // A hundred times slower where both threads have to share a core.
  // Very slow where both threads have to share a core, as on a busy machine.
  'two threads': { slots: 1, threads: 2, like: 'as shipped' },
  'Q8 KV': { slots: SLOTS, kv: 'Q8_0', flashAttention: true },
  'wide activations': { slots: SLOTS, wideActivations: true },
  'wide activations, Q8 KV': { slots: SLOTS, wideActivations: true, kv: 'Q8_0', flashAttention: true }
}

/** @param modelPath a Q8_0 file */
export async function startVariation(modelPath: string, variation: HonestVariation): Promise<LabEngine> {
  const path = variation.wideActivations === true ? await derive(modelPath, { kind: 'f32' }) : modelPath
  return LabEngine.start(path, variation)
}
