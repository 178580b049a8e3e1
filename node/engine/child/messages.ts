/**
 * What the daemon and the engine's process say to each other, over Node's IPC channel with
 * `serialization: 'advanced'`: typed arrays, maps and bigints travel as they are.
 *
 * The daemon sends `load` first and waits for `ready` or `refused`. Then it asks with ids of its own
 * choosing; every id ends with exactly one `result`, `error` or event `done`. The process dies with the channel.
 */
import type { Embeddings, ErrorCode, PromptInput, ReadJob, ParsedAnswer } from '@potluck/protocol'
import type {
  EngineBackend,
  EngineCounters,
  EngineEvent,
  EngineModel,
  GenerateJob,
  PositionScores,
  ScoreJob
} from '../interface.ts'

export interface LoadOptions {
  modelPath: string
  name?: string
  slots: number
  /** Default: as many as fit the memory. */
  remember?: number
  contextLength?: number
  threads?: number
  gpu: 'auto' | false
  /** From an earlier load: the file is not hashed again if it is still this one. */
  known?: FileIdentity
}

/** A file that was hashed, and how to see that it has not changed since. */
export interface FileIdentity {
  digest: Uint8Array
  sizeBytes: number
  modifiedMs: number
}

export type LoadStage = 'hash' | 'load'

export type ToChild =
  | { type: 'load'; options: LoadOptions }
  | { type: 'tokenize'; id: number; input: PromptInput }
  | { type: 'generate'; id: number; job: GenerateJob }
  | { type: 'grant'; id: number; tokens: number }
  | { type: 'score'; id: number; job: ScoreJob }
  | { type: 'read'; id: number; job: ReadJob }
  | { type: 'embed'; id: number; texts: readonly string[] }
  | { type: 'counters'; id: number }
  | { type: 'abort'; id: number }

export type FromChild =
  | { type: 'progress'; stage: LoadStage; fraction: number }
  | { type: 'ready'; model: EngineModel; backend: EngineBackend; file: FileIdentity; remembered: number }
  /** The model cannot be loaded; one line for the user. */
  | { type: 'refused'; reason: string }
  | { type: 'log'; text: string }
  | { type: 'events'; events: readonly { id: number; event: EngineEvent }[] }
  | { type: 'result'; id: number; result: Result }
  | { type: 'error'; id: number; code: ErrorCode; message: string }

export type Result =
  | { type: 'tokens'; tokens: Uint32Array }
  | { type: 'scores'; scores: PositionScores[] }
  | { type: 'reading'; reading: ParsedAnswer }
  | { type: 'embeddings'; embeddings: Embeddings }
  | { type: 'counters'; counters: Omit<EngineCounters, 'restarts'> }
