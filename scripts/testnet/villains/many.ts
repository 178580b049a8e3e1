import { printJson, printLine } from '../../../node/cli/terminal/output.ts'
import { duration } from '../../../node/cli/terminal/units.ts'

/** Runs so often, a line each and one at the end. Resolves to whether no run broke the promise. */
export async function runMany(
  runs: number,
  run: (signal: AbortSignal) => Promise<boolean | undefined>,
  { json, signal }: { json: boolean; signal: AbortSignal }
): Promise<boolean> {
  let kept = 0
  let broken = 0
  for (let index = 1; index <= runs; index++) {
    const begin = performance.now()
    const outcome = await run(signal)
    const ms = Math.round(performance.now() - begin)
    if (outcome === true) kept++
    if (outcome === false) broken++
    if (json) printJson({ type: 'run', run: index, of: runs, kept: outcome, ms })
    else if (runs > 1) printLine(`  run ${index} of ${runs}, ${duration(ms)}`)
  }
  if (json) printJson({ type: 'runs', runs, kept, broken })
  else if (runs > 1) printLine(`The promise was kept in ${kept} of ${runs} runs.`)
  return broken === 0
}
