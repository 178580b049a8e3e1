/** Describes the nodes that the client knows. */
import type { KnownNode, PeerStanding } from '@potluck/client'
import { formatDigest } from '@potluck/protocol'

import { sentence } from '../sentence.ts'
import type { NodeEntry, NodeStanding } from './types.ts'

/** @param standings of all nodes */
export function nodeEntry(
  { card, load, roundTripMs, relayed }: KnownNode,
  standings: readonly PeerStanding[]
): NodeEntry {
  const peer = card.peerId.toString()
  const models = card.models.map(({ name, digest, contextLength, parameters, quantization }) => ({
    name,
    digest: formatDigest(digest),
    contextLength,
    parameters,
    quantization
  }))
  const { accelerator, device, vramBytes, ramBytes } = card.hardware
  // A node with several models has several standings. The client used the first of them most.
  const standing = standings.find(
    (one) => one.peerId === peer && models.some(({ digest }) => digest === one.model.digest)
  )
  const claimed = card.models.find(({ digest }) => formatDigest(digest) === standing?.model.digest)
  const claimedTokensPerSecond = claimed?.decodeTokensPerSecond ?? 0
  const measuredTokensPerSecond = standing?.speed?.tokensPerSecond ?? 0
  return {
    peer,
    isOwn: standing?.local === true,
    models,
    hardware: { accelerator, device, memoryBytes: vramBytes > 0 ? vramBytes : ramBytes },
    load: { running: load.active, queued: load.queued, slots: load.slots },
    roundTripMs,
    route: relayed === undefined ? 'unknown' : relayed ? 'relayed' : 'direct',
    ...(claimedTokensPerSecond > 0 ? { claimedTokensPerSecond } : {}),
    ...(measuredTokensPerSecond > 0 ? { measuredTokensPerSecond } : {}),
    isPaused: card.draining,
    standing: {
      state: standing === undefined ? 'unknown' : stateOf(standing),
      reasons: (standing?.reasons ?? []).map(sentence),
      auditedTokens: standing?.auditedTokens ?? 0,
      answers: standing?.answers ?? 0,
      failures: standing?.failures ?? 0
    }
  }
}

function stateOf({ standing, local, trusted, answers, failures, auditedTokens }: PeerStanding): NodeStanding['state'] {
  if (standing === 'banned' || standing === 'quarantined') return standing
  if (local || trusted) return 'trusted'
  return standing === 'probationary' && answers + failures + auditedTokens === 0 ? 'unknown' : standing
}
