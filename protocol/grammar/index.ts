/**
 * @module protocol/grammar
 *
 * What a grammar allows next, byte by byte; part of the sampling contract.
 */
export * from './limits.ts'
export { begin, nearKey, Node, step, Terminal, TooManyWays, Ways, type Way } from './machine.ts'
export { JsonString } from './json-string.ts'
export { Choice, Reference, Repeat, Sequence } from './structure.ts'
export { FreeText, Literal } from './text.ts'
