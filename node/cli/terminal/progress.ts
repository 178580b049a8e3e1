/** The progress of a long task: a bar on a terminal, otherwise some lines. It goes to stderr, or to stdout as JSON. */
import { printJson, printNote } from './output.ts'

export interface Progress {
  /** @param fraction 0 to 1 */
  update: (fraction: number, detail?: string) => void
  /** Removes the bar. */
  end: () => void
}

/** Width of the bar in characters. */
const BAR_WIDTH = 30
/** Number of lines for a whole task if there is no terminal. */
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
