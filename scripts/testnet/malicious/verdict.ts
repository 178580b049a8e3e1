/** Counts where the requests went, and decides whether the run passes. Pure functions. */
import type { PeerStanding } from '@potluck/client'
import type { ErrorCode } from '@potluck/protocol'
import type { MaliciousKind } from './engines/index.ts'

/** With fewer requests, a run has no verdict on where the requests went. */
export const REQUIRED_REQUESTS = 80
/** The client must find the impostor with at most this many of its answers. */
const REQUIRED_AUDITS = 3
/** Only the last requests count, because the client learns during the earlier ones. */
const COUNTED_REQUESTS = 40
/** The share of the counted requests that must go to honest nodes. */
const REQUIRED_SHARE = 0.95

/** A node of the scenario, and whether it is malicious, which the client does not know. */
export interface ScenarioNode {
  name: string
  peerId: string
  /** Undefined for an honest node. */
  malicious: MaliciousKind | undefined
}

/** One request and the nodes that took part in it. */
export interface RequestRecord {
  index: number
  /** Every node that took part. The node that ended the answer comes last. */
  peers: readonly string[]
  /** The error code, if no node answered. */
  failure?: ErrorCode
  ttftMs?: number
  totalMs?: number
  tokens?: number
}

/** One node, its share of the requests, and the client's view of it. */
export interface NodeRow extends ScenarioNode {
  /** Number of requests in which the node took part. */
  requests: number
  /** `requests` as a share of all requests. */
  share: number
  view: PeerStanding | undefined
}

export interface Verdict {
  requests: number
  /** How many of the last `of` requests were answered, and by honest nodes only. */
  honest: number
  of: number
  /** Whether `honest` is at least 95 % of `of`. */
  enough: boolean
  /** Names of the honest nodes that the client quarantined or banned. */
  honestQuarantined: readonly string[]
}

export function toRows(
  nodes: readonly ScenarioNode[],
  requests: readonly RequestRecord[],
  views: readonly PeerStanding[]
): NodeRow[] {
  return nodes.map((node) => {
    const count = requests.filter(({ peers }) => peers.includes(node.peerId)).length
    const view = views.find(({ peerId }) => peerId === node.peerId)
    return { ...node, requests: count, share: count / Math.max(1, requests.length), view }
  })
}

export function toVerdict(rows: readonly NodeRow[], requests: readonly RequestRecord[]): Verdict {
  const honestPeers = new Set(rows.filter(({ malicious }) => malicious === undefined).map(({ peerId }) => peerId))
  const isHonest = ({ peers, failure }: RequestRecord): boolean =>
    failure === undefined && peers.every((peer) => honestPeers.has(peer))
  const last = requests.toSorted((a, b) => a.index - b.index).slice(-COUNTED_REQUESTS)
  const honest = last.filter(isHonest).length
  const isExcluded = ({ view }: NodeRow): boolean => view?.standing === 'quarantined' || view?.standing === 'banned'
  return {
    requests: requests.length,
    honest,
    of: last.length,
    enough: honest >= REQUIRED_SHARE * last.length,
    honestQuarantined: rows.filter((row) => row.malicious === undefined && isExcluded(row)).map(({ name }) => name)
  }
}

/**
 * Whether the run passed. Undefined if it had too few requests to decide.
 *
 * @param impostor whether a confirmed proof bans it, and how many of its answers were audited until the client found it
 */
export function isPassed(
  { requests, enough, honestQuarantined }: Verdict,
  { banned, foundAfterAudits = 0 }: { banned: boolean; foundAfterAudits: number | undefined }
): boolean | undefined {
  if (honestQuarantined.length > 0 || foundAfterAudits > REQUIRED_AUDITS) return false
  return requests < REQUIRED_REQUESTS ? undefined : enough && banned
}
