/** Which nodes and models can serve a request at all, and which model it means. Pure functions. */
import { formatDigest, PotluckError, SAMPLING_CONTRACT, type ModelCard } from '@potluck/protocol'

import { READABLE_TOKENS_PER_SECOND } from '../constants.ts'
import type { Sighting } from '../discover/ask-card.ts'
import type { Want } from '../discover/want.ts'

/** One model on one node. */
export interface Offer {
  sighting: Sighting
  model: ModelCard
}

export interface Requirements {
  /** All of them have to be among the model's features. */
  features: readonly string[]
  /** Tokens of the answer, which have to fit the context beside some prompt. */
  maxTokens: number | undefined
}

/** The offers of one node that satisfy the request; none where it is leaving. */
export function offersOf(sighting: Sighting, want: Want, { features, maxTokens = 0 }: Requirements): Offer[] {
  const { card } = sighting
  if (card.draining || card.contract !== SAMPLING_CONTRACT) return []
  return card.models
    .filter((model) => matches(model, want))
    .filter((model) => features.every((feature) => model.features.includes(feature)) && model.contextLength > maxTokens)
    .map((model) => ({ sighting, model }))
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
  return Map.groupBy(offers, ({ model }) => formatDigest(model.digest))
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
