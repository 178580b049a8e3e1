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
  /** The largest or the smallest value that the mean should have. */
  target?: { most: number } | { least: number }
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
  const cells = figures.map(({ case: name, metric, unit, values, n, target }) => [
    name,
    metric,
    format(mean(values)),
    `${format(Math.min(...values))} - ${format(Math.max(...values))}`,
    unit,
    n.toFixed(0),
    target === undefined ? '' : verdict(mean(values), target)
  ])
  console.log(table(['case', 'metric', 'mean', 'minimum - maximum', 'unit', 'n', 'target'], cells))
}

function verdict(value: number, target: NonNullable<Figure['target']>): string {
  const [met, bound] =
    'most' in target
      ? [value <= target.most, `<= ${format(target.most)}`]
      : [value >= target.least, `>= ${format(target.least)}`]
  return `${bound} ${met ? 'met' : 'MISSED'}`
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function format(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}
