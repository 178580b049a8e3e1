/** How far something long has come: a bar on a terminal, a line now and then elsewhere. On stderr, or as JSON. */
import { printJson, printNote } from './output.ts'

export interface Progress {
  /** @param fraction 0 to 1 */
  update: (fraction: number, detail?: string) => void
  /** Ends the bar's line. */
  end: () => void
}

const BAR_WIDTH = 30
/** Where there is no terminal, a line for each tenth. */
const STEPS = 10

/** @param stage one word; a following stage has a progress of its own */
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
