import { RemoteEngine, type DebugLogger } from '../child/remote-engine.ts'
import type { LoadStage } from '../child/messages.ts'
import { DEFAULT_SLOTS } from '../constants.ts'
import type { Engine } from '../interface.ts'

export interface LlamaEngineOptions {
  /** A GGUF file, whole. */
  modelPath: string
  /** `user/repo:QUANT`; default: the file's name without its extension. */
  name?: string
  /** Generations at once, each with a context of its own. Default `DEFAULT_SLOTS`. */
  slots?: number
  /**
   * Conversations kept beside those in the slots, each in a context of its own. Default: as many as fit half of the
   * memory that is left, at most `MOST_REMEMBERED`. 0 for models whose memory cannot be cut to a prefix.
   */
  remember?: number
  /** Tokens of prompt and answer in each slot. Default and maximum: the model's own, default at most `DEFAULT_CONTEXT_LENGTH`. */
  contextLength?: number
  /** Default: all cores but one; one for a tiny model. */
  threads?: number
  /** Default 'auto': the best device that the prebuilt binaries know. */
  gpu?: 'auto' | false
  onProgress?: (fraction: number, stage: LoadStage) => void
  logger: DebugLogger
  /** Aborts the start. A running engine ends with `close`. */
  signal?: AbortSignal
}

/**
 * Loads a model into a process of its own, where it may crash without taking the daemon along.
 *
 * @throws PotluckError `engine_failed` with one line that says what is wrong with the file or machine
 */
export async function startLlamaEngine(
  options: LlamaEngineOptions
): Promise<Engine & { readonly pid: number | undefined }> {
  const { modelPath, name, slots = DEFAULT_SLOTS, remember, contextLength, threads, gpu = 'auto' } = options
  return RemoteEngine.start({
    // The module beside this one: TypeScript when run from source, JavaScript when built.
    entry: new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url),
    load: {
      modelPath,
      slots,
      gpu,
      ...(name === undefined ? {} : { name }),
      ...(remember === undefined ? {} : { remember }),
      ...(contextLength === undefined ? {} : { contextLength }),
      ...(threads === undefined ? {} : { threads })
    },
    logger: options.logger,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.signal === undefined ? {} : { signal: options.signal })
  })
}
