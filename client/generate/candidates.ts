/** Which nodes a request is tried at, and in which order. */
import type { PotluckError } from '@potluck/protocol'

import { DEFAULT_BUSY_WAIT_MS, MAX_BUSY_WAIT_MS } from '../constants.ts'
import type { Sighting } from '../discover/ask-card.ts'
import type { Directory } from '../discover/directory.ts'
import { wantCid, type Want } from '../discover/want.ts'
import { raceAbort } from '../race-abort.ts'
import { estimatePromptTokens, requiredFeatures, type Ask } from '../request.ts'
import { ambiguous, offersOf, settleModel, type Offer } from '../select/offers.ts'
import { order } from '../select/order.ts'
import type { Draft } from './draft.ts'

export interface CandidatesContext {
  directory: Pick<Directory, 'gather'>
  /** Uniform in [0, 1). */
  random: () => number
  /** Milliseconds since the epoch. */
  now: () => number
  signal: AbortSignal
}

/**
 * The nodes to try, best first; looked for again when all that were known have failed. Those that
 * were busy, or fell silent in an answer, are given once more at the end, for there is nobody else:
 * after the soonest time that one of them named, unless it is far.
 *
 * @throws PotluckError `invalid_request` where a name stands for several models, and what `gather` throws
 */
export async function* candidates(
  ask: Ask,
  draft: Pick<Draft, 'want'>,
  failures: readonly PotluckError[],
  { directory, random, now, signal }: CandidatesContext
): AsyncGenerator<Offer, void, void> {
  const requirements = { features: requiredFeatures(ask), maxTokens: ask.maxTokens }
  const work = { promptTokens: estimatePromptTokens(ask), maxTokens: ask.maxTokens }
  const tried = new Map<string, Offer>()
  const offersNow = async (want: Want, options: { fresh: boolean; whole?: boolean }): Promise<Offer[]> => {
    const suitable = (sighting: Sighting): boolean =>
      !tried.has(sighting.card.peerId.toString()) && offersOf(sighting, want, requirements).length > 0
    const sightings = await directory.gather(wantCid(want), suitable, { signal, ...options })
    return sightings.flatMap((sighting) => offersOf(sighting, want, requirements))
  }
  for (let fresh = false; ; fresh = true) {
    const { want } = draft
    let offers = settleModel(await offersNow(want, { fresh }), want)
    if (offers === undefined) {
      // The nodes that are still to be found may make a majority.
      const all = await offersNow(want, { fresh: false, whole: true })
      offers = settleModel(all, want)
      if (offers === undefined) throw ambiguous(all)
    }
    if (offers.length === 0) break
    for (const offer of order(offers, { ...work, now: now() }, random)) {
      tried.set(offer.sighting.card.peerId.toString(), offer)
      if (offer.model.contextLength > longestRefused(failures, tried)) yield offer
    }
  }
  const again = failures.filter((error) => isBusy(error) || error.code === 'token_timeout')
  if (again.length === 0) return
  const waits = again.map((error) => (isBusy(error) ? (error.retryAfterMs ?? DEFAULT_BUSY_WAIT_MS) : 0))
  const soonest = Math.min(...waits)
  // The caller, who is told the time, knows better whether to wait that long.
  if (soonest > MAX_BUSY_WAIT_MS) return
  await delay(soonest, signal)
  yield* again.flatMap(({ peer }) => tried.get(peer ?? '') ?? [])
}

/** The longest context that was too short: a node that holds no more need not be asked. */
function longestRefused(failures: readonly PotluckError[], tried: ReadonlyMap<string, Offer>): number {
  const refused = failures.filter(({ code }) => code === 'context_length_exceeded')
  return Math.max(0, ...refused.map(({ peer }) => tried.get(peer ?? '')?.model.contextLength ?? 0))
}

/** Refused for now: the same node may take the request later. */
export function isBusy({ code }: PotluckError): boolean {
  return code === 'busy' || code === 'rate_limited'
}

async function delay(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await raceAbort(promise, signal)
  } finally {
    clearTimeout(timer)
  }
}
