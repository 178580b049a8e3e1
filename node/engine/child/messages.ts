/**
 * The messages between the daemon and the engine's process. They use Node's IPC channel with `serialization:
 * 'advanced'`, which supports typed arrays, maps and bigints.
 *
 * The daemon sends `load` first and waits for `ready` or `refused`. Then it sends requests, each with a new id. Each
 * request ends with exactly one `result`, `error` or event `done`. The process ends when the channel closes.
 */
import type { Embeddings, ErrorCode, PromptInput, ParsedAnswer, ReadJob } from '@potluck/protocol'
import type { AuditJob, AuditOutcome } from '../audit.ts'
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
  /** Conversations to remember besides those in the slots. Default: as many as fit into memory. */
  remember?: number
  contextLength?: number
  threads?: number
  gpu: 'auto' | false
  /** Whether answers can draft tokens ahead. */
  speculate: boolean
  /** Layers of the model on the GPU. Default: as many as fit into its free memory. */
  gpuLayers?: number
  /**
   * Loads only the vocabulary, on the processor. Such a process tokenises prompts and reads answers. It also computes
   * the memory that the model would take, with as many layers on the GPU as fit into `vramBytes`.
   */
  reader?: { vramBytes: number }
  /** The file of an earlier load. If the file has not changed since, its digest is not computed again. */
  known?: FileIdentity
}

/** A hashed file. Its size and the time of its last modification show whether it has changed since the hash. */
export interface FileIdentity {
  digest: Uint8Array
  sizeBytes: number
  modifiedMs: number
}

/** The memory that a loaded model takes, and where its layers are. */
export interface Fit {
  ramBytes: number
  vramBytes: number
  gpuLayers: number
}

/** The progress of a load: hashing the file, then loading the model. */
export type LoadStage = 'hash' | 'load'

export type ToChild =
  | { type: 'load'; options: LoadOptions }
  | { type: 'tokenize'; id: number; input: PromptInput }
  | { type: 'generate'; id: number; job: GenerateJob }
  | { type: 'grant'; id: number; tokens: number }
  | { type: 'score'; id: number; job: ScoreJob }
  | { type: 'read'; id: number; job: ReadJob }
  | { type: 'embed'; id: number; texts: readonly string[] }
  | { type: 'audit'; id: number; job: AuditJob }
  | { type: 'noise'; id: number }
  | { type: 'counters'; id: number }
  | { type: 'abort'; id: number }

/** A message that starts a request. */
export type EngineRequest = Exclude<ToChild, { type: 'load' | 'grant' | 'abort' }>

export type FromChild =
  | { type: 'progress'; stage: LoadStage; fraction: number }
  | { type: 'ready'; model: EngineModel; backend: EngineBackend; file: FileIdentity; remembered: number; fit?: Fit }
  /** The model cannot be loaded. `reason` is one line for the user. */
  | { type: 'refused'; reason: string }
  | { type: 'log'; text: string }
  | { type: 'events'; events: readonly { id: number; event: EngineEvent }[] }
  | { type: 'result'; id: number; result: Result }
  | { type: 'error'; id: number; code: ErrorCode; message: string }

/** The result of a request, except for generations, which end with the event `done`. */
export type Result =
  | { type: 'tokens'; tokens: Uint32Array }
  | { type: 'scores'; scores: PositionScores[] }
  | { type: 'reading'; reading: ParsedAnswer }
  | { type: 'embeddings'; embeddings: Embeddings }
  | { type: 'audit'; outcome: AuditOutcome }
  | { type: 'noise'; noise: number | undefined }
  | { type: 'counters'; counters: Omit<EngineCounters, 'restarts'> }
