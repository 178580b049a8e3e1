/** Loads the model files through node-llama-cpp and asks them, with nothing but the library's defaults for the chat. */

import { DEFAULT_SAMPLING } from '@potluck/protocol'
import { getLlama, LlamaChatSession, resolveChatWrapper } from 'node-llama-cpp'
import type { ChatWrapper, Llama, LlamaContextSequence, LlamaModel } from 'node-llama-cpp'

/** Longest answer, in tokens; one that reaches it is a run-on. */
export const ANSWER_LIMIT = 256

/** Tokens of context: what the model was trained on. */
const CONTEXT_SIZE = 1024

/** One loaded file with one sequence, on one thread. */
export interface Loaded {
  readonly model: LlamaModel
  readonly sequence: LlamaContextSequence
  /** What the library makes of the file's chat template. Each session would find it again, in 0.3 seconds. */
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
  /** With the library's own default system message, or with none. */
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

/** One question in a fresh chat, through the template in the file. */
export async function ask(loaded: Loaded, question: string, options: AskOptions = {}): Promise<Reply> {
  const { temperature = 0, seed = 0, system = 'none' } = options
  await loaded.sequence.clearHistory()
  const { sequence: contextSequence, chatWrapper } = loaded
  const session = new LlamaChatSession({ contextSequence, chatWrapper, autoDisposeSequence: false })
  if (system === 'none') session.setChatHistory([])
  const { responseText, stopReason } = await session.promptWithMeta(question, {
    temperature,
    seed,
    // As Potluck samples unless told otherwise: what its users read.
    topK: DEFAULT_SAMPLING.topK,
    topP: DEFAULT_SAMPLING.topP,
    minP: DEFAULT_SAMPLING.minP,
    repeatPenalty: false,
    maxTokens: ANSWER_LIMIT
  })
  session.dispose({ disposeSequence: false })
  return { text: responseText.trim(), ended: stopReason === 'eogToken' || stopReason === 'stopGenerationTrigger' }
}
