/**
 * @module @potluck/client
 *
 * Finds nodes of a Potluck network and streams answers from them. Runs in Node and in browsers.
 */
import { createClientOn, type Client } from './client.ts'
import type { ClientOptions } from './options.ts'
import { browserPlatform } from './platform/browser.ts'

export { Answer, type AnswerResult } from './answer.ts'
export * from './audit/index.ts'
export type { Client } from './client.ts'
export type { AuditedEvent, ClientEvent, SignedAnswer } from './events.ts'
export type { AnswerEvent } from './generate/progress.ts'
export type { KnownNode } from './discover/known-node.ts'
export { MemoryPeerStore, type PeerStore, type SavedPeer } from './peers/peer-store.ts'
export { toModelViews, type ModelView } from './discover/models.ts'
export type { EmbedOptions, EmbedResult } from './embed/embed.ts'
export type {
  AcceptedPart,
  AnswerMetadata,
  AnswerPart,
  AttemptFailure,
  Beginning,
  Continuity,
  DeltaPart,
  FinishPart
} from './generate/parts.ts'
export {
  MemoryReputationStore,
  type ReputationParameters,
  type ReputationStore,
  type Standing,
  type StoredPeer
} from './reputation/index.ts'
export type { ClientOptions, FindOptions, PeerSettings, ReputationSettings } from './options.ts'
export type { ChatOptions, CompletionOptions, GenerationOptions } from './base/request.ts'
export type { Mode } from './select/index.ts'
export type { PeerSpeed, PeerStanding } from './standing.ts'

/** Connects to a network from a browser: over WebSockets only, and without mDNS. */
export async function createClient(options: ClientOptions = {}): Promise<Client> {
  return await createClientOn(browserPlatform, options)
}
