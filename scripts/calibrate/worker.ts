/** One job of the laboratory, in a process of its own; it ends with the job, or with whoever asked for it. */
import { measureAnswer, type TokenMargin } from '@potluck/protocol'
import { answers } from './answers.ts'
import { LabEngine, type Generated } from './engine.ts'
import type { Job, JobResult } from './laboratory.ts'

/** Who asked ends the process. */
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
  const engine = await LabEngine.start(job.setup)
  const results: unknown[] = []
  if (job.type === 'answers') {
    for (const wanted of job.wanted) results.push(await answers(engine, wanted, signal))
  } else {
    for (const pool of job.pools) results.push(await measureAll(engine, pool))
  }
  await engine.close()
  return results
}

/** What the auditor measures of each answer, in their order. Fills all slots of its engine. */
async function measureAll(auditor: LabEngine, made: readonly Generated[]): Promise<TokenMargin[][]> {
  const measured: TokenMargin[][] = []
  const left = [...made.entries()]
  const one = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, answered] = next
      const scores = await auditor.score(answered, signal)
      measured[index] = measureAnswer(scores, answered.sampling, answered.answerTokens)
    }
  }
  await Promise.all(Array.from({ length: auditor.slots }, one))
  return measured
}
