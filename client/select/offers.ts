/** What nodes offer, as selection sees it, and which model a request means. Pure functions. */
import { formatDigest, PotluckError, SAMPLING_CONTRACT, type Load, type ModelCard } from '@potluck/protocol'

import { READABLE_TOKENS_PER_SECOND } from '../constants.ts'
import type { Sighting } from '../discover/ask-card.ts'
import type { Want } from '../discover/want.ts'
import type { Claims } from '../reputation/index.ts'
import type { KnownNode } from './node-view.ts'

/** Whom the user named beforehand. */
export interface Friends {
  /** Peer id of the user's own node. */
  localNode: string | undefined
  /** Peer ids of nodes that the user trusts. */
  trusted: ReadonlySet<string>
}

/** One model on one node. */
export class Offer implements KnownNode {
  readonly sighting: Sighting
  readonly model: ModelCard
  readonly peer: string
  readonly digest: string
  readonly local: boolean
  readonly trusted: boolean
  readonly suitable: boolean

  /** @param features that the request needs */
  constructor(sighting: Sighting, model: ModelCard, features: readonly string[], { localNode, trusted }: Friends) {
    this.sighting = sighting
    this.model = model
    this.peer = sighting.card.peerId.toString()
    this.digest = formatDigest(model.digest)
    this.local = this.peer === localNode
    this.trusted = trusted.has(this.peer)
    this.suitable =
      sighting.card.contract === SAMPLING_CONTRACT && features.every((feature) => model.features.includes(feature))
  }

  get draining(): boolean {
    return this.sighting.card.draining
  }

  get contextLength(): number {
    return this.model.contextLength
  }

  get claims(): Claims {
    return this.model
  }

  get roundTripMs(): number {
    return this.sighting.roundTripMs
  }

  get load(): Load {
    return this.sighting.load
  }

  get loadAt(): number {
    return this.sighting.loadAt
  }
}

/** What one node offers of what is wanted; whether it may be asked is the gate's to say. */
export function offersOf(sighting: Sighting, want: Want, features: readonly string[], friends: Friends): Offer[] {
  return sighting.card.models
    .filter((model) => matches(model, want))
    .map((model) => new Offer(sighting, model, features, friends))
}

function matches(model: ModelCard, want: Want): boolean {
  switch (want.kind) {
    case 'auto':
      return true
    // A DHT name key folds case, so that `Qwen` and `qwen` meet there.
    case 'name':
      return model.name.toLowerCase() === want.name.toLowerCase()
    case 'digest':
      return formatDigest(model.digest) === formatDigest(want.digest)
  }
}

/**
 * Keeps the offers of one model: answers have to come from weights of one digest, or no other node
 * could continue them and no audit compare them. Undefined where a name stands for several digests
 * and none has a majority.
 */
export function settleModel(offers: readonly Offer[], want: Want): Offer[] | undefined {
  const groups = [...byDigest(offers).values()]
  if (groups.length <= 1) return [...offers]
  if (want.kind === 'auto') return groups.reduce((best, group) => (isBetter(group, best) ? group : best))
  return groups.find((group) => group.length > offers.length / 2)
}

export function ambiguous(offers: readonly Offer[]): PotluckError {
  const digests = [...byDigest(offers).keys()].join(', ')
  return new PotluckError(
    'invalid_request',
    `the name stands for several models; ask for one by its digest: ${digests}`
  )
}

function byDigest(offers: readonly Offer[]): Map<string, Offer[]> {
  return Map.groupBy(offers, ({ digest }) => digest)
}

/** The larger model, as long as one of its nodes is fast enough to read along. */
function isBetter(a: readonly Offer[], b: readonly Offer[]): boolean {
  const [readableA, readableB] = [pace(a) >= READABLE_TOKENS_PER_SECOND, pace(b) >= READABLE_TOKENS_PER_SECOND]
  if (readableA !== readableB) return readableA
  if (!readableA) return pace(a) > pace(b)
  return size(a) > size(b)
}

function pace(group: readonly Offer[]): number {
  return Math.max(...group.map(({ model }) => model.decodeTokensPerSecond))
}

function size(group: readonly Offer[]): number {
  return Math.max(...group.map(({ model }) => model.parameters))
}
