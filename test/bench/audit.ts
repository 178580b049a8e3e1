/**
 * `npm run bench -- audit [SCALE] [--write-distribution]`: audits real answers of real model files.
 *
 * The benchmark generates and audits a pool of answers for every way to cheat and for every honest variation. A
 * simulated peer takes answers from the pools in a random order, each at most once, until it is banned. The simulated
 * peers share the answers, so their spread shows only the effect of the order and the selection.
 *
 * Engines run in worker processes, as many as there are cores. The cost of an audit is measured last, with nothing else
 * running. SCALE multiplies the sizes of the pools; use a value below 1 for a quick look. `--write-distribution`
 * updates the distribution from which the simulator draws its audits.
 */
import type { BenchContext } from './report.ts'

export async function run(context: BenchContext): Promise<void> {
  // Must be set before the engine library loads: evaluations that move between threads take twice as long.
  process.env.UV_THREADPOOL_SIZE ??= '1'
  const { benchAudits } = await import('./audit/bench.ts')
  await benchAudits(context)
}
