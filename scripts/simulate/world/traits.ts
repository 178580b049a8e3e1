/** Random nodes like those in real homes: rates differ by more than a factor of ten, and a node has 1 to 4 slots. */
import type { Random } from '../random.ts'
import type { PeerTraits } from './peer.ts'

export interface Population {
  peers: number
  maliciousShare: number
  /** Conversations that a node keeps in memory, in addition to those in its slots. */
  remembered: number
}

/** Tokens per second. The median is that of a small GPU with a model of a few billion parameters. */
const DECODE_MEDIAN = 30
const DECODE_SIGMA = 0.6
/** Ratio of the prefill rate to the decode rate, log-uniform from 5 (a CPU) to 100 (a GPU). */
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
