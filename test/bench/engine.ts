import pino from 'pino'
import { startLlamaEngine, type Engine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'

export interface BenchEngineOptions {
  /** Default: crumb. */
  modelPath?: string
  /** Tokens of each slot. Default: the model's own. */
  contextLength?: number
  /** Default 1. */
  slots?: number
  /** Default 1. */
  threads?: number
  /** Default: as many as fit into memory. */
  remember?: number
  /** Default true. */
  speculate?: boolean
  signal?: AbortSignal
}

/** Starts an engine on the CPU, without logs. */
export async function startBenchEngine({
  modelPath = crumb.Q8_0.path,
  slots = 1,
  threads = 1,
  ...options
}: BenchEngineOptions): Promise<Engine & { readonly pid: number | undefined }> {
  const logger = pino({ level: 'silent' })
  return await startLlamaEngine({ modelPath, slots, threads, ...options, gpu: false, logger })
}
