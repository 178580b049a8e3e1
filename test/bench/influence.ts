/**
 * `npm run bench -- influence [SCALE] [MODEL.gguf]`: how far a node can steer its answers without ever being quarantined. The
 * node runs the true model and signs true fingerprints, so only the contract test can find it. It decides near ties: if the gap
 * of a position is below a limit, it chooses between the two best tokens as it likes. Each such position is worth one bit.
 *
 * The auditor computes differently than the node: with an F16 cache. SCALE multiplies the tokens of each pool.
 */
import { USUAL_NOISE } from '../../client/evidence/constants.ts'
import { crumb } from '../../node/models/crumb.ts'
import type { Generated } from '../../scripts/calibrate/engine.ts'
import { createRandom } from '../../scripts/calibrate/random.ts'
import { SLOTS } from '../../scripts/calibrate/variations.ts'
import { WorkerPool, type Measurement } from '../../scripts/calibrate/worker-pool.ts'
import { auditPeer, mixed, toAudited, tokensOf, type Audited } from './audit/pool.ts'
import type { BenchContext } from './report.ts'

/** Not the seed of the calibration, nor of the audit benchmark. */
const SEED = 3
/** Audited tokens of one node. */
const TOKENS = 8_000
/** Nodes with the same answers, in different orders. */
const NODES = 50
const TEMPERATURES = [0, 0.7, 1]
/** Gaps below which the node decides, in logits. */
const LIMITS = [0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3]

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
  const quarantines = (name: string, temperature: number, audited: readonly Audited[], test: string): void => {
    const random = createRandom(5)
    const found = Array.from({ length: NODES }, () => auditPeer(mixed([], audited, 1, random))).filter(
      ({ quarantined }) => Number.isFinite(quarantined)
    )
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
  }
}

/**
 * At half of the near ties, the node wants another token than the contract gives, and sends the second best. The answer's other
 * tokens stay as they are, which changes little: the gaps of other answers are as large.
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
