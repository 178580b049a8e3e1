/** Chooses the node for a request. Gate and order are pure functions: the clock and the random source are passed in. */
export type { AnswerOutcome, AttemptKind, AttemptRecord } from './attempt-record.ts'
export { SHORT_WORKLOAD, type Candidate, type RankedCandidate, type UserNodes, type Workload } from './candidate.ts'
export { LOOK_AROUND_MS, MAX_MOVES } from './constants.ts'
export { slowAdmissionMs } from './hedge.ts'
export type { Mode } from './gate.ts'
export { CandidatePool, type PoolContext, type PooledRequest } from './pool.ts'
export { conversationKeys } from './prefixes.ts'
export { Selector } from './selector.ts'
