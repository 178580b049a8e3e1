export { tokenMargin, type TokenMargin } from './margin.ts'
export { philox4x32, uniform } from './philox.ts'
export { AUDIT_CANDIDATES, CANDIDATES, type TokenCandidates } from './ranking.ts'
export { sampleToken } from './sampler.ts'
