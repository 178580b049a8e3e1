/** Margins and gaps as two lists of floats, in an audit's result and in `checked`. */
import type { TokenMargin } from '../sampler/index.ts'
import type { FieldCheck } from './check.ts'

interface MarginLists {
  margins: number[]
  gaps: number[]
}

export function toMargins(measured: readonly TokenMargin[]): MarginLists {
  return { margins: measured.map(({ margin }) => margin), gaps: measured.map(({ gap }) => gap) }
}

export function parseMargins(check: FieldCheck, { margins, gaps }: MarginLists): TokenMargin[] {
  if (gaps.length !== margins.length) check.fail('gaps', 'must have one entry for each margin')
  return margins.map((margin, index) => ({
    margin: check.number('margins', margin, 0, Infinity),
    gap: check.number('gaps', gaps[index]!, 0, Infinity)
  }))
}
