/**
 * `npm run bench -- influence [SCALE] [MODEL.gguf]`: how far a node can steer its answers without ever being
 * quarantined. The node runs the true model and signs true fingerprints, so only the contract test can find it. It
 * decides near ties: if the gap of a position is below a limit, it chooses between the two best tokens as it likes.
 * Each such position is worth one bit. Or it names a brand more often: it adds `BRAND_BIAS` to the logit of one token.
 * Then each token that differs is worth one bit.
 *
 * The auditor computes differently than the node: with an F16 cache. SCALE multiplies the tokens of each pool.
 */
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import { USUAL_NOISE } from '../../client/evidence/constants.ts'
import { crumb } from '../../node/models/crumb.ts'
import type { Generated } from '../../scripts/calibrate/engine.ts'
import { createRandom } from '../../scripts/calibrate/random.ts'
import { SLOTS } from '../../scripts/calibrate/variations.ts'
import { WorkerPool, type Measurement } from '../../scripts/calibrate/worker-pool.ts'
import { auditPeer, exactShare, mixed, toAudited, tokensOf, type Audited } from './audit/pool.ts'
import { reportQuantiles, type BenchContext } from './report.ts'

/** Not the seed of the calibration, nor of the audit benchmark. */
const SEED = 3
/** Audited tokens of one node. */
const TOKENS = 8_000
/** Nodes with the same answers, in different orders. */
const NODES = 50
const TEMPERATURES = [0, 0.7, 1]
/** Gaps below which the node decides, in logits. */
const LIMITS = [0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3]

/** Added to the logit of the brand. */
const BRAND_BIAS = 0.5
/** Each of so many tokens is the brand of its own node. */
const BRANDS = 5

/** What a fingerprint adds to the test: `margins only` is the test without the windows of fingerprints. */
const TESTS = ['margins only', 'with fingerprints'] as const

interface Pool {
  answers: readonly Generated[]
  measured: readonly Measurement[]
}

export async function run({ args, report, note, signal }: BenchContext): Promise<void> {
  const modelPath = args.find((argument) => argument.endsWith('.gguf')) ?? crumb.Q8_0.path
  const scale = Number(args.find((argument) => !argument.endsWith('.gguf')) ?? 1)
  const workers = new WorkerPool(signal, note)
  const specs = TEMPERATURES.map((temperature) => ({ tokens: scale * TOKENS, seed: SEED, sampling: { temperature } }))
  const made = await workers.answers({ modelPath, slots: SLOTS }, specs, 'answers')
  const auditor = { modelPath, slots: SLOTS, cache: { keys: 'F16', values: 'F16', flashAttention: true } } as const
  const audits = await workers.audits(auditor, made, 'audits')
  const peersOf = (audited: readonly Audited[]): ReturnType<typeof auditPeer>[] => {
    const random = createRandom(5)
    return Array.from({ length: NODES }, () => auditPeer(mixed([], audited, 1, random)))
  }
  const quarantines = (name: string, temperature: number, audited: readonly Audited[], test: string): void => {
    const found = peersOf(audited).filter(({ quarantined }) => Number.isFinite(quarantined))
    const label = `${name}, T ${temperature}, ${test}`
    report({ case: label, metric: 'quarantined_share', value: found.length / NODES, unit: '', n: tokensOf(audited) })
  }
  const audit = ({ answers, measured }: Pool, test: (typeof TESTS)[number]): Audited[] =>
    toAudited(test === 'margins only' ? answers.map(withoutFingerprints) : answers, measured, { noise: USUAL_NOISE })

  for (const [index, temperature] of TEMPERATURES.entries()) {
    const pool: Pool = { answers: made[index]!, measured: audits[index]! }
    for (const test of TESTS) quarantines('honest', temperature, audit(pool, test), test)
    for (const limit of LIMITS) {
      const ties = pool.measured.flatMap(({ margins }) => margins).filter(({ gap }) => gap <= limit).length
      const name = `near ties to ${limit}`
      const bits = ties / pool.measured.reduce((sum, { margins }) => sum + margins.length, 0)
      report({ case: `${name}, T ${temperature}`, metric: 'influence', value: bits, unit: 'bits/token', n: ties })
      const steered = { ...pool, measured: decideTies(pool.measured, limit) }
      for (const test of TESTS) quarantines(name, temperature, audit(steered, test), test)
    }
    const sampling = { temperature, seed: SEED, tokens: (scale * TOKENS) / BRANDS }
    for (const [brand, pool] of (await naming(brandsIn(made[index]!), sampling)).entries()) {
      const label = `brand ${brand + 1} of ${BRANDS}, + ${BRAND_BIAS}, T ${temperature}`
      const audited = audit(pool, 'with fingerprints')
      const n = tokensOf(audited)
      report({ case: label, metric: 'influence', value: 1 - exactShare(audited), unit: 'bits/token', n })
      const found = peersOf(audited).map(({ quarantined }) => quarantined)
      reportQuantiles(report, { case: label, metric: 'tokens_to_quarantine', unit: 'tokens' }, found, [0.5])
    }
  }

  /** Answers of nodes that prefer one token each. The auditor knows nothing of the bias. */
  async function naming(
    brands: readonly number[],
    { temperature, seed, tokens }: { temperature: number; seed: number; tokens: number }
  ): Promise<Pool[]> {
    const biased = brands.map((brand) => ({
      tokens,
      seed,
      sampling: { temperature, logitBias: new Map([[brand, BRAND_BIAS]]) }
    }))
    const named = await workers.answers({ modelPath, slots: SLOTS }, biased, 'answers with a brand')
    const claimed = named.map((pool) =>
      pool.map((answer) => ({ ...answer, sampling: { ...answer.sampling, logitBias: DEFAULT_SAMPLING.logitBias } }))
    )
    const found = await workers.audits(auditor, claimed, 'audits of answers with a brand')
    return claimed.map((answers, index) => ({ answers, measured: found[index]! }))
  }
}

/** The most frequent tokens that fewer than half of the answers have: names and things, not grammar. */
function brandsIn(answers: readonly Generated[]): number[] {
  const times = new Map<number, { answers: number; all: number }>()
  for (const { answerTokens } of answers) {
    for (const token of answerTokens) {
      const seen = times.get(token) ?? { answers: 0, all: 0 }
      times.set(token, { ...seen, all: seen.all + 1 })
    }
    for (const token of new Set(answerTokens)) times.get(token)!.answers++
  }
  return [...times]
    .filter(([, seen]) => 2 * seen.answers < answers.length)
    .toSorted(([, one], [, other]) => other.all - one.all)
    .slice(0, BRANDS)
    .map(([token]) => token)
}

/**
 * At half of the near ties, the node wants another token than the contract gives, and sends the second best. The
 * answer's other tokens stay as they are, which changes little: the gaps of other answers are as large.
 */
function decideTies(measured: readonly Measurement[], limit: number): Measurement[] {
  const random = createRandom(6)
  return measured.map(({ margins, fingerprints }) => ({
    fingerprints,
    margins: margins.map((token) =>
      token.gap <= limit && random() % 2 === 0 ? { ...token, margin: token.gap } : token
    )
  }))
}

/** An answer without fingerprints gives no windows. */
function withoutFingerprints(answer: Generated): Generated {
  return { ...answer, fingerprints: new Uint8Array() }
}
