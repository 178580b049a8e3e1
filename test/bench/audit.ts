/**
 * `npm run bench -- audit [SCALE] [--write-distribution]`: real files, real answers, real audits.
 *
 * For every way to cheat and every honest way to compute, a pool of answers is generated and audited.
 * A run is the life of a peer: answers of its pools in a random order, each at most once, until it
 * is banned. So runs share answers, and their spread is that of the order and the choice of them.
 *
 * Engines run in processes of their own, as many at once as there are cores; what an audit costs is
 * measured last, alone. SCALE multiplies the sizes of the pools; below 1 for a quick look. `--write-distribution` updates
 * what the simulator draws its audits from.
 */
import type { BenchContext } from './report.ts'

export async function run(context: BenchContext): Promise<void> {
  // Before the library is loaded: decodes that wander over the pool's threads take twice as long.
  process.env.UV_THREADPOOL_SIZE ??= '1'
  const { benchAudits } = await import('./audit/bench.ts')
  await benchAudits(context)
}
