/** Which node gets a request. Clock and chance come from outside; what is decided by pure functions is in their files. */
export { AttemptRecord, type AttemptResult } from './attempt-record.ts'
export { LOOK_AROUND_MS, MAX_MOVES } from './constants.ts'
export type { Contender, Mode, Request } from './contender.ts'
export { refusalOf, type Refusal } from './gate.ts'
export type { KnownNode } from './node-view.ts'
export { ambiguous, Offer, offersOf, settleModel, type Friends } from './offers.ts'
export { conversationKeys } from './prefixes.ts'
export { Selector, type NodeChoice, type SelectionRequest } from './selector.ts'
