/** A worker process. It runs one job. It ends when the job is done or when the parent process ends. */
import { fingerprintsOf, measureAnswer } from '@potluck/protocol'
import { generatePool } from './answers.ts'
import { CalibrationEngine, type Generated } from './engine.ts'
import type { Job, JobResult, Measurement } from './worker-pool.ts'

/** Never aborts: the parent stops a job by killing the process. */
const { signal } = new AbortController()
process.once('disconnect', () => process.exit())
process.once('message', (job: Job) => void answer(job))

async function answer(job: Job): Promise<void> {
  const result: JobResult = await work(job).then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) })
  )
  process.send?.(result, () => process.disconnect())
}

async function work(job: Job): Promise<unknown> {
  const engine = await CalibrationEngine.start(job.setup)
  const results: unknown[] = []
  if (job.type === 'answers') {
    for (const spec of job.specs) results.push(await generatePool(engine, spec, signal))
  } else {
    for (const pool of job.pools) results.push(await measureAll(engine, pool))
  }
  await engine.close()
  return results
}

/** Measures each answer. The results are in the order of the answers. Uses all slots of the engine. */
async function measureAll(auditor: CalibrationEngine, made: readonly Generated[]): Promise<Measurement[]> {
  const measured: Measurement[] = []
  const left = [...made.entries()]
  const one = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, answered] = next
      const scores = await auditor.score(answered, signal)
      const margins = measureAnswer(scores, answered.sampling, answered.answerTokens)
      measured[index] = { margins, fingerprints: fingerprintsOf(scores) }
    }
  }
  await Promise.all(Array.from({ length: auditor.slots }, one))
  return measured
}
