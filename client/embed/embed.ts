/**
 * Texts to vectors. All come from one digest, as those of different weights cannot be compared; if a
 * node fails, another of the same digest does the rest.
 */
import { formatDigest, MAX_EMBED_TEXTS, PotluckError } from '@potluck/protocol'

import { MAX_ATTEMPTS } from '../constants.ts'
import { parseAddresses } from '../discover/ask-card.ts'
import type { Directory } from '../discover/directory.ts'
import { parseWant, wantCid, type Want } from '../discover/want.ts'
import { ambiguous, offersOf, settleModel, type Offer } from '../select/offers.ts'
import { askEmbed, toFrame, type AskEmbedContext } from './ask.ts'

export interface EmbedOptions {
  /** As for answers. Default `auto`. */
  model?: string
  /** At least one text, none of them empty. */
  input: readonly string[]
  signal?: AbortSignal
}

export interface EmbedResult {
  /** One for each text, in their order, each of length 1. */
  vectors: readonly Float32Array[]
  promptTokens: number
  /** Who gave the last of them. */
  peerId: string
  /** Digest as `sha256:…`, and the name that the node gives it. */
  model: { digest: string; name: string }
}

export interface EmbedContext extends AskEmbedContext {
  directory: Pick<Directory, 'gather' | 'forget'>
}

/** @throws PotluckError `invalid_request`, `no_providers`, or the last node's failure */
export async function embed({ model = 'auto', input }: EmbedOptions, context: EmbedContext): Promise<EmbedResult> {
  const batches = toBatches(input)
  let want = parseWant(model)
  const vectors: Float32Array[] = []
  let promptTokens = 0
  let failure: PotluckError | undefined
  let attempts = 0
  const tried = new Set<string>()
  for (let offer = await next(want, tried, context); offer !== undefined; offer = await next(want, tried, context)) {
    const { card } = offer.sighting
    const peerId = card.peerId.toString()
    tried.add(peerId)
    const node = { peerId: card.peerId, addresses: parseAddresses(card) }
    const { digest, name } = offer.model
    try {
      while (vectors.length < input.length) {
        const texts = batches[Math.floor(vectors.length / MAX_EMBED_TEXTS)]!
        const part = await askEmbed(node, { modelDigest: digest, texts }, context)
        vectors.push(...part.vectors)
        promptTokens += part.promptTokens
        want = { kind: 'digest', digest }
      }
      return { vectors, promptTokens, peerId, model: { digest: formatDigest(digest), name } }
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      if (!error.retryable) throw error
      if (error.code !== 'busy') context.directory.forget(peerId)
      failure = error
      if (++attempts === MAX_ATTEMPTS) break
    }
  }
  throw failure ?? new PotluckError('no_providers', 'no node was found that gives embeddings with this model')
}

/** @throws PotluckError `invalid_request`, before anything is sent */
function toBatches(input: readonly string[]): (readonly string[])[] {
  const batches: (readonly string[])[] = []
  for (let start = 0; start === 0 || start < input.length; start += MAX_EMBED_TEXTS) {
    const texts = input.slice(start, start + MAX_EMBED_TEXTS)
    toFrame({ modelDigest: new Uint8Array(32), texts })
    batches.push(texts)
  }
  return batches
}

/** The node that is free soonest, of those that were not tried. */
async function next(want: Want, tried: ReadonlySet<string>, context: EmbedContext): Promise<Offer | undefined> {
  const { directory, signal } = context
  const requirements = { features: ['embeddings'], maxTokens: undefined }
  const find = async (whole: boolean): Promise<Offer[]> => {
    const sightings = await directory.gather(
      wantCid(want),
      (sighting) => !tried.has(sighting.card.peerId.toString()) && offersOf(sighting, want, requirements).length > 0,
      { signal, whole }
    )
    return sightings.flatMap((sighting) => offersOf(sighting, want, requirements))
  }
  const offers = await find(false)
  const settled = settleModel(offers, want) ?? settleModel(await find(true), want)
  if (settled === undefined) throw ambiguous(offers)
  return settled.toSorted((a, b) => waitMs(a) - waitMs(b))[0]
}

function waitMs({ sighting: { load, roundTripMs } }: Offer): number {
  return load.estimatedWaitMs + roundTripMs
}
