/**
 * `npm run bench -- audit [SCALE] [MODEL.gguf] [honest] [cheats] [cost] [--write-distribution]`: audits real answers of
 * real model files.
 *
 * The benchmark generates and audits a pool of answers for every way to cheat and for every honest variation, with
 * usual and with adversarial requests. A simulated peer takes answers from the pools in a random order, each at most
 * once, until the client would ban it. All simulated peers take their answers from the same pools. So the differences
 * between them come only from which answers they take and in which order. Simulated honest peers share no answer.
 *
 * Engines run in worker processes, as many as there are cores. At the end, with nothing else running, the benchmark
 * measures the cost of an audit. SCALE multiplies the sizes of the pools; use a value below 1 for a quick look. With
 * `honest`, `cheats` or `cost`, the benchmark runs only these parts. MODEL.gguf is a file of type F32; without it, the
 * benchmark uses crumb. `--write-distribution` updates the distribution from which the simulator draws its audits.
 */
import type { BenchContext } from './report.ts'

export async function run(context: BenchContext): Promise<void> {
  // Must be set before the engine library loads: evaluations that move between threads take twice as long.
  process.env.UV_THREADPOOL_SIZE ??= '1'
  const { benchAudits } = await import('./audit/bench.ts')
  await benchAudits(context)
}
