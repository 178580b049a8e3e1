/** A worker process. It runs one job. It ends when the job is done or when the parent process ends. */
import { fingerprintsOf, measureInSlices } from '@potluck/protocol'
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
  try {
    switch (job.type) {
      case 'answers':
        return await inOrder(job.specs, async (spec) => generatePool(engine, spec, signal))
      case 'audits':
        return await inOrder(job.pools, async (pool) => measureAll(engine, pool))
      case 'noise':
        return await engine.noise(signal)
    }
  } finally {
    await engine.close()
  }
}

async function inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
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
      const margins = await measureInSlices(scores, answered.sampling, answered.answerTokens)
      measured[index] = { margins, fingerprints: fingerprintsOf(scores) }
    }
  }
  await Promise.all(Array.from({ length: auditor.slots }, one))
  return measured
}
