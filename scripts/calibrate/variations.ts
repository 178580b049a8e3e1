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

export const HONEST_VARIATIONS: Readonly<Record<string, HonestVariation>> = {
  'as shipped': { slots: 4 },
  'one slot, small batches': { slots: 1, batchSize: 32 },
  // A hundred times slower where both threads have to share a core.
  'Q8 KV': { slots: 4, kv: 'Q8_0', flashAttention: true },
  'wide activations': { slots: 4, wideActivations: true },
  'wide activations, Q8 KV': { slots: 4, wideActivations: true, kv: 'Q8_0', flashAttention: true }
}

/** @param modelPath a Q8_0 file */
export async function startVariation(modelPath: string, variation: HonestVariation): Promise<LabEngine> {
  const path = variation.wideActivations === true ? await derive(modelPath, { kind: 'f32' }) : modelPath
  return LabEngine.start(path, variation)
}
