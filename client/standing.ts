/** What a client thinks of the nodes it knows, for people: one entry for each node and model. */
import { formatDigest } from '@potluck/protocol'

import type { KnownNode } from './discover/known-node.ts'
import type { Reputation, Speed, Standing } from './reputation/index.ts'
import type { UserNodes } from './select/index.ts'

export interface PeerStanding {
  peerId: string
  /** `name` is what the node calls it; undefined where no card is known now. */
  model: { digest: string; name?: string }
  standing: Standing
  /** The user's own node: first while it is free, and not judged. */
  local: boolean
  /** On the user's list. */
  trusted: boolean
  /** A card is known that may be used now. */
  seen: boolean
  /** The chance that its next answer is complete, 0 to 1, as far as it is known. */
  reliability: number
  /** Odds of what its audits showed, under another model to under this one; `quarantineEvidence` and `banEvidence` are the limits. */
  evidence: number
  auditedTokens: number
  /** Complete answers that this client had from it, and their share of all that it had of the model, 0 to 1. */
  answers: number
  share: number
  /** As measured by this client; undefined before an answer. */
  speed: PeerSpeed | undefined
  /** One sentence each, most telling first. Nothing in them was written by a peer. */
  reasons: readonly string[]
}

export interface PeerSpeed {
  /** From sending a request to its first token, for prompts as they mostly were; milliseconds. */
  ttftMs: number
  /** 0 where no answer had two tokens. */
  tokensPerSecond: number
  /** How many times longer an answer takes than was predicted. */
  overPredicted: number
}

/** Those that serve now and those that are remembered; the most used first. */
export function peerStandings(
  reputation: Reputation,
  nodes: readonly KnownNode[],
  { localNode, trusted }: UserNodes
): PeerStanding[] {
  const seen = nodes.flatMap(({ card }) =>
    card.models.map(({ digest, name }) => ({ peer: card.peerId.toString(), digest: formatDigest(digest), name }))
  )
  const known = new Map(
    [...reputation.peers(), ...seen].map(({ peer, digest }) => [`${peer} ${digest}`, { peer, digest }])
  )
  const answersOf = (peer: string, digest: string): number => reputation.state(peer, digest).counts.complete?.count ?? 0
  const totals = new Map<string, number>()
  for (const { peer, digest } of known.values()) totals.set(digest, (totals.get(digest) ?? 0) + answersOf(peer, digest))
  return [...known.values()]
    .map(({ peer, digest }) => {
      const { score, lines } = reputation.explain(peer, digest)
      const name = seen.find((one) => one.peer === peer && one.digest === digest)?.name
      const answers = answersOf(peer, digest)
      return {
        peerId: peer,
        model: { digest, ...(name === undefined ? {} : { name }) },
        standing: score.standing,
        local: peer === localNode,
        trusted: trusted.has(peer),
        seen: name !== undefined,
        reliability: score.reliabilityMean,
        evidence: Math.exp(score.logEvidence),
        auditedTokens: score.auditedTokens,
        answers,
        share: answers / Math.max(1, totals.get(digest) ?? 0),
        speed: speedOf(reputation.state(peer, digest).speed),
        reasons: lines
      }
    })
    .sort((a, b) => b.answers - a.answers || a.peerId.localeCompare(b.peerId))
}

function speedOf({ buckets, off }: Speed): PeerSpeed | undefined {
  const usual = buckets.toSorted((a, b) => (b.ttft?.weight ?? 0) - (a.ttft?.weight ?? 0))[0]
  if (usual?.ttft === undefined) return undefined
  return {
    ttftMs: Math.exp(usual.ttft.mean),
    tokensPerSecond: usual.interToken === undefined ? 0 : 1000 / Math.exp(usual.interToken.mean),
    overPredicted: off === undefined ? 1 : Math.exp(off.mean)
  }
}
