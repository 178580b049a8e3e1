/** The output of every benchmark: rows, as a table for people or one JSON object per line (`--json`). */
import { table } from '../../node/cli/terminal/table.ts'

/** One figure. */
export interface Row {
  bench: string
  /** Distinguishes the variants of one benchmark. */
  case: string
  metric: string
  value: number
  unit: string
  /** Number of samples behind the value. */
  n: number
}

/** The argument of a benchmark module's `run`. */
export interface BenchContext {
  /** The arguments after the benchmark's name, without `--json`. */
  args: readonly string[]
  /** Aborts on Ctrl-C. The benchmark then cleans up and rejects. */
  signal: AbortSignal
  report: (row: Omit<Row, 'bench'>) => void
  /** Prints progress for a person, to stderr. */
  note: (text: string) => void
}

export interface Reporter {
  context: BenchContext
  /** Prints the table, if there is one. */
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

/** Reports quantiles of the samples. Their metrics are the row's with a suffix: `_p50` for the share 0.5. */
export function reportQuantiles(
  report: BenchContext['report'],
  row: Pick<Row, 'case' | 'metric' | 'unit'>,
  samples: readonly number[],
  shares: readonly number[]
): void {
  for (const share of shares) {
    const metric = `${row.metric}_p${Math.round(100 * share)}`
    report({ ...row, metric, value: quantile(samples, share), n: samples.length })
  }
}

/** The smallest sample that at least `share` (0 to 1) of the samples do not exceed: nearest rank, no interpolation. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new Error('A quantile of no samples.')
  return value
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5)
