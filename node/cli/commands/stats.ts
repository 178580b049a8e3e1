/** `potluck stats`: prints what the node on this machine gave to the network, today and ever. */
import { readStatus } from '../../control/client.ts'
import { readStats, type Totals } from '../../control/stats.ts'
import type { CommandContext } from '../settings/context.ts'
import { dataDirectories } from '../settings/data-directory.ts'
import { CommandError } from '../terminal/errors.ts'
import { printJson, printLine } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { duration } from '../terminal/units.ts'

/** Asks the running node. If none runs, reads the saved counts. */
export async function stats({ settings, env, interrupted }: CommandContext): Promise<number> {
  const directory = dataDirectories(settings, env).node
  const running = await readStatus(directory, interrupted).catch(() => undefined)
  const report = running?.stats ?? (await readStats(directory, Date.now()))
  if (report === undefined)
    throw new CommandError(`no node has run with ${directory}; start one with \`potluck serve\``)
  const { day, today, ever } = report
  if (settings.json) printJson(report)
  else
    printLine(
      table(
        ['', 'answers', 'tokens given', 'tokens read', 'running time'],
        [row(`today, ${day}`, today), row('ever', ever)]
      )
    )
  return 0
}

function row(label: string, { requests, promptTokens, answerTokens, runningMs }: Totals): string[] {
  return [
    label,
    ...[requests, answerTokens, promptTokens].map((count) => count.toLocaleString('en')),
    duration(runningMs)
  ]
}
