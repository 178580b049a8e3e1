import { RemoteEngine, type DebugLogger } from '../child/remote-engine.ts'
import type { FileIdentity, LoadOptions, LoadStage } from '../child/messages.ts'
import { DEFAULT_SLOTS } from '../constants.ts'
import type { Engine } from '../interface.ts'

export interface LlamaEngineOptions {
  /** A GGUF file that is not split into parts. */
  modelPath: string
  /** `user/repo:QUANT`. Default: the file's name without its extension. */
  name?: string
  /** Generations at once, each with its own context. Default `DEFAULT_SLOTS`. */
  slots?: number
  /**
   * Conversations to remember besides those in the slots, each with its own context. Default: as many as fit into half
   * of the free memory, at most `MOST_REMEMBERED`. Always 0 for models whose memory cannot be cut to a prefix.
   */
  remember?: number
  /**
   * Tokens of prompt and answer in each slot, at most the model's own context. Default: the model's own context, but at
   * most `DEFAULT_CONTEXT_LENGTH`.
   */
  contextLength?: number
  /** Default: all cores but one; one thread for a tiny model. */
  threads?: number
  /** Default 'auto': the best device that the prebuilt binaries support. */
  gpu?: 'auto' | false
  /** `false` turns off drafts (`node/engine/speculation`). They never change an answer. Default true. */
  speculate?: boolean
  /** Layers of the model on the GPU. Default: as many as fit into its free memory. */
  gpuLayers?: number
  /** The file of an earlier load, which is not hashed again if it has not changed. */
  known?: FileIdentity
  onProgress?: (fraction: number, stage: LoadStage) => void
  logger: DebugLogger
  /** Aborts the start. It does not end a running engine; use `close`. */
  signal?: AbortSignal
}

/**
 * Loads a model in a child process. A crash there does not end the daemon.
 *
 * @throws PotluckError `engine_failed` with one line for the user about the file or the machine
 */
export async function startLlamaEngine(
  options: LlamaEngineOptions
): Promise<Engine & { readonly pid: number | undefined }> {
  return await start(options, {})
}

/**
 * Starts a process with only the vocabulary of the model: it tokenises and reads, and has computed what the model would
 * take.
 *
 * @param vramBytes what the model may take of the GPUs' memory
 * @throws as `startLlamaEngine`
 */
export async function startLlamaReader(options: LlamaEngineOptions, vramBytes: number): Promise<RemoteEngine> {
  return await start(options, { reader: { vramBytes } })
}

async function start(
  {
    modelPath,
    slots = DEFAULT_SLOTS,
    gpu = 'auto',
    speculate = true,
    logger,
    onProgress,
    signal,
    ...rest
  }: LlamaEngineOptions,
  more: Pick<LoadOptions, 'reader'>
): Promise<RemoteEngine> {
  return await RemoteEngine.start({
    // The entry is TypeScript in the repository and JavaScript in the published package.
    entry: new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url),
    load: { modelPath, slots, gpu, speculate, ...rest, ...more },
    logger,
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal })
  })
}
