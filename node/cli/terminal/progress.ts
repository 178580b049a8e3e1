/**
 * Prints the progress of a long task: on a terminal as a bar, otherwise as lines on stderr, with --json as JSON on
 * stdout.
 */
import { printJson, printNote } from './output.ts'

export interface Progress {
  /** @param fraction 0 to 1 */
  update: (fraction: number, detail?: string) => void
  /** Removes the bar. */
  end: () => void
}

/** Width of the bar in characters. */
const BAR_WIDTH = 30
/** Without a terminal, the number of steps of a task. Each step prints a line. */
const STEPS = 10

/** @param stage the name of the task in one word */
export function createProgress(stage: string, { json }: { json: boolean }): Progress {
  let step = -1
  let drawn = false
  return {
    update: (fraction, detail = '') => {
      if (process.stderr.isTTY && !json) {
        drawn = true
        process.stderr.write(`\r${bar(fraction)} ${stage} ${detail}\u001b[K`)
        return
      }
      const reached = Math.floor(fraction * STEPS)
      if (reached <= step) return
      step = reached
      if (json) printJson({ type: 'progress', stage, fraction })
      else printNote(`${stage} ${Math.round(fraction * 100)} % ${detail}`.trimEnd())
    },
    end: () => {
      if (drawn) process.stderr.write('\r\u001b[K')
    }
  }
}

function bar(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} ${String(Math.round(fraction * 100)).padStart(3)} %`
}
