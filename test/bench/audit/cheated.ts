/**
 * How many audited tokens it takes to quarantine and to ban a cheating peer, if it cheats in all answers. How many
 * audited answers it takes, if the peer cheats in some of them.
 */
import { createRandom } from '../../../scripts/calibrate/random.ts'
import type { Generated } from '../../../scripts/calibrate/engine.ts'
import { SLOTS, unlessImpossible } from '../../../scripts/calibrate/variations.ts'
import type { WorkerPool } from '../../../scripts/calibrate/worker-pool.ts'
import { reportQuantiles, type BenchContext } from '../report.ts'
import { cheatedAnswers, type Cheat } from './cheats.ts'
import { auditPeer, exactShare, mixed, toAudited, tokensOf, type Audited } from './pool.ts'

export interface CheatedPool {
  name: string
  temperature: number
  pool: Audited[]
}

const TEMPERATURES = [0, 0.7, 1]
const PEERS = 1000
/** Shorter answers say little: fewer than 16 tokens give no window. */
const LONG = 64
/** The shares of the answers in which the other kinds of peers cheat. All these cheated answers are long. */
const PARTS = [0.3, 0.1]

/** @param noiseOf returns the noise of a model file */
export async function cheatedPools(
  cheats: Readonly<Record<string, Cheat>>,
  spec: { tokens: number; seed: number },
  workers: WorkerPool,
  noiseOf: (modelPath: string) => Promise<number>
): Promise<CheatedPool[]> {
  const pools = Object.entries(cheats).map(async ([name, cheat]) => {
    const answers = cheatedAnswers(cheat, { ...spec, temperatures: TEMPERATURES }, workers, name)
    const made: Generated[][] = await answers.catch(unlessImpossible)
    if (made.flat().length === 0) return []
    const measured = await workers.audits({ modelPath: cheat.claimed, slots: SLOTS }, made, `audits: ${name}`)
    const noise = await noiseOf(cheat.claimed)
    return TEMPERATURES.map((temperature, index) => ({
      name,
      temperature,
      pool: toAudited(made[index]!, measured[index]!, { noise })
    }))
  })
  return (await Promise.all(pools)).flat()
}

/** @param honest the answers in which the peer does not cheat */
export function reportCheats(
  { report }: BenchContext,
  pools: readonly CheatedPool[],
  honest: readonly Audited[]
): void {
  for (const { name, temperature, pool } of pools) {
    const label = `${name}, T ${temperature}`
    report({ case: label, metric: 'exact_share', value: exactShare(pool), unit: '', n: tokensOf(pool) })
    report({ case: label, metric: 'answers', value: pool.length, unit: '', n: tokensOf(pool) })
    const random = createRandom(4)
    const peersThat = (share: number, cheated = pool): ReturnType<typeof auditPeer>[] =>
      Array.from({ length: PEERS }, () => auditPeer(mixed(honest, cheated, share, random)))
    const long = pool.filter(({ tokens }) => tokens >= LONG)
    const ofLong = peersThat(1, long).map(({ banned }) => banned)
    reportQuantiles(
      report,
      { case: label, metric: 'tokens_of_long_answers_to_ban', unit: 'tokens' },
      ofLong,
      [0.5, 0.99]
    )
    const peers = peersThat(1)
    for (const [metric, values] of [
      ['tokens_to_quarantine', peers.map(({ quarantined }) => quarantined)],
      ['tokens_to_ban', peers.map(({ banned }) => banned)],
      ['tokens_of_whole_answers_to_ban', peers.map(({ wholeTokens }) => wholeTokens)]
    ] as const) {
      reportQuantiles(report, { case: label, metric, unit: 'tokens' }, values, [0.5, 0.99])
    }
    for (const share of PARTS) {
      const row = { case: `${label}, in ${100 * share} %`, metric: 'answers_to_ban', unit: 'answers' }
      const answers = peersThat(share, long).map((peer) => peer.answers)
      reportQuantiles(report, row, answers, [0.5, 0.95, 0.99])
    }
  }
}
