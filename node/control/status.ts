/** The status that the daemon reports to its owner. */
import { isPrivate } from '@libp2p/utils'
import { formatDigest, type Card, type Load } from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'

import type { EngineModel, EngineStatus } from '../engine/interface.ts'
import type { NodeMetrics } from '../metrics/metrics.ts'
import type { NodeLimits } from '../limits/limits.ts'
import type { Problem } from '../problems.ts'
import type { RunningAnswer } from '../serve/running.ts'
import type { StatsReport } from './stats.ts'

export interface NodeStatus {
  peerId: string
  agent: string
  addresses: string[]
  /** For people to read, see `describeReachability`. */
  reachability: string
  /** Open connections. */
  connections: number
  uptimeMs: number
  draining: boolean
  /** The node takes no new requests, because of `pauseReasons`. */
  paused: boolean
  /** Each completes the sentence "the node is paused: …". */
  pauseReasons: readonly string[]
  /** What the node gave, today and ever. Undefined: the node has no data directory. */
  stats?: StatsReport
  problems: Problem[]
  load: Load
  /** The models that the node serves. The card of a paused node names none. */
  models: StatusModel[]
  /** The answers that the node generates now. */
  running: RunningAnswer[]
  limits: NodeLimits
  card: StatusCard
  metrics: NodeMetrics
}

export type StatusModel = Pick<EngineModel, 'name' | 'sizeBytes' | 'contextLength' | 'parameters' | 'quantization'> & {
  /** `sha256:…` */
  digest: string
  engine: EngineStatus
  isLoaded: boolean
}

/** The card as JSON: digests as `sha256:<hex>`, the peer id as text. */
export type StatusCard = Omit<Card, 'peerId' | 'models'> & {
  peerId: string
  models: (Omit<Card['models'][number], 'digest'> & { digest: string })[]
}

export function toStatusCard(card: Card): StatusCard {
  const models = card.models.map((model) => ({ ...model, digest: formatDigest(model.digest) }))
  return { ...card, peerId: card.peerId.toString(), models }
}

/** Returns how peers can reach a node with these addresses. The result completes a sentence: "reachable …". */
export function describeReachability(addresses: readonly string[]): string {
  // A relayed address contains the relay's public address, which says nothing about the node itself.
  const relayed = addresses.filter((address) => address.includes('/p2p-circuit'))
  const direct = addresses.filter((address) => !relayed.includes(address))
  if (direct.some((address) => !isPrivate(multiaddr(address)))) return 'directly, at a public address'
  const relays = new Set(relayed.map((address) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1]))
  if (relays.size > 0) return `through ${relays.size === 1 ? 'a relay' : `${relays.size} relays`}`
  if (direct.length > 0) return 'only from this machine and its local network'
  return 'not at all: the node listens on no address'
}
