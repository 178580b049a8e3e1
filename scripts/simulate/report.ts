/** Prints figures as a table or as JSON rows: the mean, the minimum and the maximum over the seeds. */
import { table } from '../../node/cli/terminal/table.ts'

export interface Figure {
  case: string
  metric: string
  unit: string
  /** One for each seed. */
  values: readonly number[]
  /** Number of samples behind all values together. */
  n: number
  /** The target for the mean: at most, or at least, this value. */
  end?: { most: number } | { least: number }
}

export function print(bench: string, figures: readonly Figure[], json: boolean): void {
  if (json) {
    for (const { case: name, metric, unit, values, n } of figures) {
      const row = (suffix: string, value: number): void =>
        console.log(JSON.stringify({ bench, case: name, metric: `${metric}${suffix}`, value, unit, n }))
      row('', mean(values))
      row('_min', Math.min(...values))
      row('_max', Math.max(...values))
    }
    return
  }
  const cells = figures.map(({ case: name, metric, unit, values, n, end }) => [
    name,
    metric,
    format(mean(values)),
    `${format(Math.min(...values))} - ${format(Math.max(...values))}`,
    unit,
    n.toFixed(0),
    end === undefined ? '' : verdict(mean(values), end)
  ])
  console.log(table(['case', 'metric', 'mean', 'least - most', 'unit', 'n', 'end'], cells))
}

function verdict(value: number, end: { most: number } | { least: number }): string {
  const [met, bound] =
    'most' in end ? [value <= end.most, `<= ${format(end.most)}`] : [value >= end.least, `>= ${format(end.least)}`]
  return `${bound} ${met ? 'met' : 'MISSED'}`
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function format(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}
