/**
 * @module protocol/grammar
 *
 * Grammars decide, byte by byte, how a text can continue. They are part of the sampling contract.
 */
export * from './limits.ts'
export { begin, GrammarNode, nearKey, step, Terminal, TooManyWays, Ways, type Way } from './machine.ts'
export { PatternText } from './pattern-text.ts'
export { Automaton } from './regex/automaton.ts'
export { parsePattern } from './regex/syntax.ts'
export { UnsupportedPattern } from './regex/unsupported.ts'
export { JsonString } from './json-string.ts'
export { Alternation, Concatenation, Members, Reference, Repeat } from './structure.ts'
export { FreeText, Literal } from './text.ts'
