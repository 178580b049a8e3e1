/** Audits in bulk. */
import { measureAnswer, type TokenMargin } from '@potluck/protocol'
import type { Generated, LabEngine } from './engine.ts'

/** What the auditor measures of each answer, in their order. Fills all slots of its engine. */
export async function measureAll(
  auditor: LabEngine,
  made: readonly Generated[],
  signal: AbortSignal
): Promise<TokenMargin[][]> {
  const measured: TokenMargin[][] = []
  const left = [...made.entries()]
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, answer] = next
      const scores = await auditor.score(answer, signal)
      measured[index] = measureAnswer(scores, answer.sampling, answer.answerTokens)
    }
  }
  await Promise.all(Array.from({ length: auditor.slots }, work))
  return measured
}
