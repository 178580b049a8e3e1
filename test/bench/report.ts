/** How every benchmark reports: rows, as a table for people or one JSON object a line (`--json`). */
import { table } from '../../node/cli/terminal/table.ts'

/** One figure. `case` tells variants of one benchmark apart, `n` is how many samples stand behind the value. */
export interface Row {
  bench: string
  case: string
  metric: string
  value: number
  unit: string
  n: number
}

/** What a benchmark module's `run` is given. */
export interface BenchContext {
  /** What stood after the benchmark's name, without `--json`. */
  args: readonly string[]
  /** Ctrl-C; a benchmark cleans up and rejects. */
  signal: AbortSignal
  report: (row: Omit<Row, 'bench'>) => void
  /** Progress for a person, to stderr. */
  note: (text: string) => void
}

export interface Reporter {
  context: BenchContext
  /** Prints what has to wait for the end. */
  finish: () => void
}

export function createReporter(bench: string, args: readonly string[], json: boolean, signal: AbortSignal): Reporter {
  const rows: Row[] = []
  const report: BenchContext['report'] = ({ case: name, metric, value, unit, n }) => {
    const row: Row = { bench, case: name, metric, value, unit, n }
    if (json) console.log(JSON.stringify(row))
    else rows.push(row)
  }
  const finish = (): void => {
    if (rows.length === 0) return
    const cells = rows.map((row) => [row.case, row.metric, format(row.value), row.unit, String(row.n)])
    console.log(table(['case', 'metric', 'value', 'unit', 'n'], cells))
  }
  return { context: { args, signal, report, note: (text) => console.error(text) }, finish }
}

function format(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 1 ? 2 : 3)
}

/** The value that `share` (0 to 1) of the samples do not exceed: nearest rank, no interpolation. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new Error('A quantile of no samples.')
  return value
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5)
