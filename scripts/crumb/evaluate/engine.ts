/** Loads the model files through node-llama-cpp and sends them questions, with the library's defaults for chats. */

import { DEFAULT_SAMPLING } from '@potluck/protocol'
import { getLlama, LlamaChatSession, resolveChatWrapper } from 'node-llama-cpp'
import type { ChatWrapper, Llama, LlamaContextSequence, LlamaModel } from 'node-llama-cpp'

/** Limit of an answer, in tokens. An answer that reaches it counts as a run-on. */
export const ANSWER_LIMIT = 256

/** Context in tokens, as in training. */
const CONTEXT_SIZE = 1024

/** A loaded file with one sequence, on one thread. */
export interface Loaded {
  readonly model: LlamaModel
  readonly sequence: LlamaContextSequence
  /** The library's wrapper for the file's chat template. Resolving it takes 0.3 s, so all sessions share it. */
  readonly chatWrapper: ChatWrapper
}

export interface Reply {
  readonly text: string
  /** Whether the model ended the answer itself. */
  readonly ended: boolean
}

export interface AskOptions {
  /** 0 takes the most likely token. */
  readonly temperature?: number
  readonly seed?: number
  /** The library's default system message, or none. Default: none. */
  readonly system?: 'default' | 'none'
}

export async function openLlama(): Promise<Llama> {
  return getLlama({ gpu: false, build: 'never', skipDownload: true })
}

export async function load(llama: Llama, path: string): Promise<Loaded> {
  const model = await llama.loadModel({ modelPath: path })
  const context = await model.createContext({ contextSize: CONTEXT_SIZE, threads: 1, sequences: 1 })
  return { model, sequence: context.getSequence(), chatWrapper: resolveChatWrapper(model) }
}

/** Sends one question in a new chat, rendered with the template in the file. */
export async function ask(loaded: Loaded, question: string, options: AskOptions = {}): Promise<Reply> {
  const { temperature = 0, seed = 0, system = 'none' } = options
  await loaded.sequence.clearHistory()
  const { sequence: contextSequence, chatWrapper } = loaded
  const session = new LlamaChatSession({ contextSequence, chatWrapper, autoDisposeSequence: false })
  if (system === 'none') session.setChatHistory([])
  const { responseText, stopReason } = await session.promptWithMeta(question, {
    temperature,
    seed,
    // Potluck's defaults, so that the text is what its users read.
    topK: DEFAULT_SAMPLING.topK,
    topP: DEFAULT_SAMPLING.topP,
    minP: DEFAULT_SAMPLING.minP,
    repeatPenalty: false,
    maxTokens: ANSWER_LIMIT
  })
  session.dispose({ disposeSequence: false })
  return { text: responseText.trim(), ended: stopReason === 'eogToken' || stopReason === 'stopGenerationTrigger' }
}
