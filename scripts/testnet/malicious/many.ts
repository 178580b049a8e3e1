import { printJson, printLine } from '../../../node/cli/terminal/output.ts'
import { duration } from '../../../node/cli/terminal/units.ts'

/** Repeats a run, and prints a line for each run and a summary. Resolves to whether no run failed. */
export async function runMany(
  runs: number,
  run: (signal: AbortSignal) => Promise<boolean | undefined>,
  { json, signal }: { json: boolean; signal: AbortSignal }
): Promise<boolean> {
  let passed = 0
  let failed = 0
  for (let index = 1; index <= runs; index++) {
    const begin = performance.now()
    const outcome = await run(signal)
    const ms = Math.round(performance.now() - begin)
    if (outcome === true) passed++
    if (outcome === false) failed++
    if (json) printJson({ type: 'run', run: index, of: runs, passed: outcome, ms })
    else if (runs > 1) printLine(`  run ${index} of ${runs}, ${duration(ms)}`)
  }
  if (json) printJson({ type: 'runs', runs, passed, failed })
  else if (runs > 1) printLine(`${passed} of ${runs} runs passed.`)
  return failed === 0
}
