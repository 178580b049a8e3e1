/** Decides whether a regular expression can be enforced, and makes the grammar that enforces it. */
import { MAX_STRING_LENGTH } from '../grammar/limits.ts'
import type { GrammarNode } from '../grammar/machine.ts'
import { PatternText } from '../grammar/pattern-text.ts'
import { Automaton } from '../grammar/regex/automaton.ts'
import { parsePattern } from '../grammar/regex/syntax.ts'
import { UnsupportedPattern } from '../grammar/regex/unsupported.ts'
import { newBudget, type SchemaBudget } from './compiler.ts'

/** Returns the reason why the pattern cannot be enforced, as the end of a sentence; undefined if it can. */
export function checkPattern(pattern: string, budget: SchemaBudget = newBudget()): string | undefined {
  try {
    compilePattern(pattern, budget)
    return undefined
  } catch (error) {
    if (error instanceof UnsupportedPattern) return error.message
    throw error
  }
}

/**
 * Returns the grammar of the texts that match the pattern as a whole.
 *
 * @throws UnsupportedPattern
 */
export function compilePattern(pattern: string, budget: SchemaBudget = newBudget()): GrammarNode {
  const count = (steps: number): void => {
    budget.comparisons -= steps
    if (budget.comparisons < 0) throw new UnsupportedPattern('takes too long to check')
  }
  const text = new PatternText(new Automaton(parsePattern(pattern, true), 0, count), {
    most: MAX_STRING_LENGTH,
    json: false
  })
  if (!text.possible) throw new UnsupportedPattern('allows no text')
  return text
}
