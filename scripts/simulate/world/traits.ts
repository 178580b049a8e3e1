/** Homes are unlike each other: rates over more than a decade, one to four slots. */
import type { Random } from '../random.ts'
import type { PeerTraits } from './peer.ts'

export interface Population {
  peers: number
  maliciousShare: number
  /** Conversations that a node remembers beside those in its slots. */
  remembered: number
}

/** Medians: a small GPU with a model of some billions of parameters. */
const DECODE_MEDIAN = 30
const DECODE_SIGMA = 0.6
/** Prefill over decode, log-uniform: 5 on a CPU to 100 on a GPU. */
const PREFILL_LEAST = 5
const PREFILL_MOST = 100
const ROUND_TRIP_MEDIAN_MS = 60
export const MOST_SLOTS = 4

export function population({ peers, maliciousShare, remembered }: Population, random: Random): PeerTraits[] {
  const malicious = Math.round(peers * maliciousShare)
  const honesty = random.shuffled(Array.from({ length: peers }, (_, index) => index >= malicious))
  return honesty.map((honest, index) => {
    const slots = 1 + random.integer(MOST_SLOTS)
    const decodeTokensPerSecond = random.lognormal(DECODE_MEDIAN, DECODE_SIGMA)
    return {
      index,
      honest,
      decodeTokensPerSecond,
      prefillTokensPerSecond: decodeTokensPerSecond * PREFILL_LEAST * (PREFILL_MOST / PREFILL_LEAST) ** random.next(),
      slots,
      roundTripMs: random.lognormal(ROUND_TRIP_MEDIAN_MS, 0.5),
      remembered
    }
  })
}
