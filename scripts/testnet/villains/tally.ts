/** Where the requests went, beside what the client thinks of each node, and whether the promise holds. Pure. */
import type { PeerStanding } from '@potluck/client'
import type { ErrorCode } from '@potluck/protocol'
import type { Villain } from './engines/index.ts'

/** Requests after which the promise holds, of how many of the last ones it speaks, and their share. */
export const PROMISED_AFTER = 80
const PROMISED_LAST = 40
const PROMISED_SHARE = 0.95

/** A node, as only the testnet knows it. */
export interface Actor {
  name: string
  peerId: string
  villain: Villain | undefined
}

/** One request and where it went. */
export interface Asked {
  index: number
  /** Every node that took part, the one that ended the answer last. */
  peers: readonly string[]
  /** Why it was not answered. */
  failure?: ErrorCode
  ttftMs?: number
  totalMs?: number
  tokens?: number
}

export interface Row extends Actor {
  /** Requests in which it took part, and their share of all. */
  asked: number
  share: number
  view: PeerStanding | undefined
}

export interface Promised {
  requests: number
  /** Of the last `of` requests those that honest nodes answered, without a villain taking part. */
  honest: number
  of: number
  enough: boolean
  /** Names. */
  honestQuarantined: readonly string[]
}

export function rows(actors: readonly Actor[], asked: readonly Asked[], views: readonly PeerStanding[]): Row[] {
  return actors.map((actor) => {
    const count = asked.filter(({ peers }) => peers.includes(actor.peerId)).length
    const view = views.find(({ peerId }) => peerId === actor.peerId)
    return { ...actor, asked: count, share: count / Math.max(1, asked.length), view }
  })
}

export function judge(table: readonly Row[], asked: readonly Asked[]): Promised {
  const honestPeers = new Set(table.filter(({ villain }) => villain === undefined).map(({ peerId }) => peerId))
  const isHonest = ({ peers, failure }: Asked): boolean =>
    failure === undefined && peers.every((peer) => honestPeers.has(peer))
  const last = asked.toSorted((a, b) => a.index - b.index).slice(-PROMISED_LAST)
  const honest = last.filter(isHonest).length
  const against = (row: Row): boolean => row.view?.standing === 'quarantined' || row.view?.standing === 'banned'
  return {
    requests: asked.length,
    honest,
    of: last.length,
    enough: honest >= PROMISED_SHARE * last.length,
    honestQuarantined: table.filter((row) => row.villain === undefined && against(row)).map(({ name }) => name)
  }
}

/**
 * Whether the promise was kept; undefined after fewer requests than it speaks of.
 *
 * @param banned the impostor, by a proof that was confirmed
 */
export function isKept({ requests, enough, honestQuarantined }: Promised, banned: boolean): boolean | undefined {
  if (honestQuarantined.length > 0) return false
  return requests < PROMISED_AFTER ? undefined : enough && banned
}
