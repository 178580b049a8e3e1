/**
 * Compares this machine's clock with the clocks of other peers.
 *
 * A card says when its node signed it. A node signs a new card at least once an hour, so a card that comes from the
 * node itself is at most one hour old. One card gives a range for the error of this machine's clock: from the
 * time since the signature, minus one hour, to the time since the signature. The comparison combines the ranges of
 * several peers, and ignores the most extreme third of them, so that one wrong clock or one liar does not matter.
 *
 * Only cards that come directly from their nodes count. Any peer can pass on an old card of another node.
 */
import type { Multiaddr } from '@multiformats/multiaddr'

import { isRelayedSubnet, subnetOf } from '../subnet.ts'
import { CardTimeError, type Card } from './card.ts'
import { CARD_TTL_MS, CLOCK_SKEW_MS } from '../constants.ts'

/** The comparison needs this many peers: the fewest with which one liar does not matter. */
const MIN_PEERS = 3
/** Peers whose last card counts. */
const MAX_PEERS = 64
/** Peers of one subnet that count, because an attacker can have any number of keys at one address. */
const MAX_PER_SUBNET = 1
/** The same for peers behind relays of one subnet: the fewest for a comparison in a network with a single relay. */
const MAX_PER_RELAY = MIN_PEERS
/** The age of the oldest card that an honest node sends. Nodes sign a new card after half of its lifetime. */
const MAX_AGE_MS = CARD_TTL_MS / 2
/** A comparison with a peer counts for this long. */
const KEPT_MS = CARD_TTL_MS
/** If the wall clock moved by this much against the monotonic clock, a person or a program set it. */
const CLOCK_SET_MS = 60_000

/** The difference between this machine's clock and the clocks of other peers. */
export interface ClockSkew {
  /** Milliseconds, approximate. Negative: this machine's clock is behind. */
  skewMs: number
  /** The number of peers with which the clock was compared. */
  peers: number
}

interface Comparison {
  /** Own time of receipt minus the node's time of signature, milliseconds. */
  offsetMs: number
  /** Monotonic time of receipt, milliseconds. */
  at: number
  /** The card was refused because of its times. */
  refused: boolean
  /** Of the connection. Undefined: private or unknown. */
  subnet: string | undefined
}

/** Returns the skew if it is larger than a card may be from the future, else undefined. */
export function estimateSkew(offsetsMs: readonly number[]): ClockSkew | undefined {
  const peers = offsetsMs.length
  if (peers < MIN_PEERS) return undefined
  const sorted = offsetsMs.toSorted((a, b) => a - b)
  const ignored = Math.max(1, Math.floor((peers - 1) / 3))
  let [freshest = 0, oldest = 0] = [sorted[ignored], sorted[peers - 1 - ignored]]
  // More clocks are wrong than were ignored. The median is right if half of the clocks are right.
  if (oldest - MAX_AGE_MS > freshest) freshest = oldest = sorted[Math.floor(peers / 2)] ?? 0
  const behind = freshest < -CLOCK_SKEW_MS
  const ahead = oldest - MAX_AGE_MS > CLOCK_SKEW_MS
  return behind || ahead ? { skewMs: freshest, peers } : undefined
}

export interface ClockComparisonOptions {
  /** This machine's clock, milliseconds since the epoch. */
  now: () => number
  /** Milliseconds; never jumps. */
  monotonic: () => number
  /** Called when the comparison finds that the clock is wrong, and with undefined when it is right again. */
  onChange?: ((skew: ClockSkew | undefined) => void) | undefined
}

export class ClockComparison {
  readonly #options: ClockComparisonOptions
  /** By peer id, the oldest first. */
  readonly #peers = new Map<string, Comparison>()
  /** Wall clock minus monotonic clock. */
  #epoch: number | undefined
  #reported = false

  constructor(options: ClockComparisonOptions) {
    this.#options = options
  }

  /**
   * Takes the result of `openCard` for a card that came directly from its node, and returns it unchanged.
   *
   * @param from the remote address of the connection that carried the card. Undefined: no limit by subnet
   */
  async observe(opened: Promise<Card>, from?: Multiaddr): Promise<Card> {
    const subnet = from === undefined ? undefined : subnetOf(from)
    try {
      const card = await opened
      this.#add(card, { refused: false, subnet })
      return card
    } catch (error) {
      if (error instanceof CardTimeError) this.#add(error.card, { refused: true, subnet })
      throw error
    }
  }

  /** Undefined: the clock is right, or it could not be compared with three peers. */
  skew(): ClockSkew | undefined {
    const skew = estimateSkew(this.#recent().map(({ offsetMs }) => offsetMs))
    const wasReported = this.#reported
    this.#reported = skew !== undefined
    if (this.#reported !== wasReported) this.#options.onChange?.(skew)
    return skew
  }

  /**
   * Cards that were refused because of their times. They show that a clock is wrong, but a few of them do not show
   * whether it is this machine's clock. Undefined if there is none.
   */
  refused(): ClockSkew | undefined {
    const offsets = this.#recent().flatMap(({ refused, offsetMs }) => (refused ? [offsetMs] : []))
    if (offsets.length === 0) return undefined
    const sorted = offsets.toSorted((a, b) => a - b)
    return { skewMs: sorted[Math.floor(sorted.length / 2)] ?? 0, peers: sorted.length }
  }

  #add({ peerId, sequence }: Card, { refused, subnet }: Pick<Comparison, 'refused' | 'subnet'>): void {
    this.#forgetIfSet()
    const peer = peerId.toString()
    this.#peers.delete(peer)
    this.#makeRoom(subnet)
    const { now, monotonic } = this.#options
    this.#peers.set(peer, { offsetMs: now() - sequence, at: monotonic(), refused, subnet })
    const [oldest] = this.#peers.keys()
    if (this.#peers.size > MAX_PEERS && oldest !== undefined) this.#peers.delete(oldest)
    this.skew()
  }

  /** Deletes the oldest peer of the subnet if there are too many. */
  #makeRoom(subnet: string | undefined): void {
    if (subnet === undefined) return
    const same = [...this.#peers].filter(([, comparison]) => comparison.subnet === subnet)
    const [oldest] = same
    const limit = isRelayedSubnet(subnet) ? MAX_PER_RELAY : MAX_PER_SUBNET
    if (oldest !== undefined && same.length >= limit) this.#peers.delete(oldest[0])
  }

  #recent(): Comparison[] {
    this.#forgetIfSet()
    const since = this.#options.monotonic() - KEPT_MS
    return [...this.#peers.values()].filter(({ at }) => at >= since)
  }

  /** Forgets all comparisons if this machine's clock was set since the last call. */
  #forgetIfSet(): void {
    const epoch = this.#options.now() - this.#options.monotonic()
    if (Math.abs(epoch - (this.#epoch ?? epoch)) > CLOCK_SET_MS) this.#peers.clear()
    this.#epoch = epoch
  }
}

/** What the user can do about a wrong clock. */
export const SET_THE_CLOCK = 'set the clock (for example with: timedatectl set-ntp true)'

/** "this machine's clock is about 3 hours behind (compared with 5 peers)" */
export function describeSkew({ skewMs, peers }: ClockSkew): string {
  return `this machine's clock is about ${span(skewMs)} ${skewMs < 0 ? 'behind' : 'ahead'} (compared with ${peers} peers)`
}

/** The warning for the owner of a machine with a wrong clock. */
export function clockWarning(skew: ClockSkew): string {
  return `Warning: ${describeSkew(skew)}; ${SET_THE_CLOCK}.`
}

/** Describes what `ClockComparison.refused` returns. */
export function describeRefused({ skewMs, peers }: ClockSkew): string {
  const nodes =
    peers === 1 ? 'one node was found, but its clock and' : `${peers} nodes were found, but their clocks and`
  return `${nodes} this machine's clock differ by about ${span(skewMs)}`
}

function span(ms: number): string {
  const minutes = Math.abs(ms) / 60_000
  const [count, unit] =
    minutes < 90 ? [minutes, 'minute'] : minutes < 36 * 60 ? [minutes / 60, 'hour'] : [minutes / (24 * 60), 'day']
  const rounded = Math.max(1, Math.round(count))
  return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`
}
