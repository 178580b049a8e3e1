/** Which node gets a request. Clock and chance come from outside; what is decided by pure functions is in their files. */
export type { AttemptResult } from './attempt-record.ts'
export { LOOK_AROUND_MS, MAX_MOVES } from './constants.ts'
export type { Contender, Request } from './contender.ts'
export { refusalOf } from './gate.ts'
export type { KnownNode } from './node-view.ts'
export { Selector, type NodeChoice, type SelectionRequest } from './selector.ts'
