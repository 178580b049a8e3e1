export { CANDIDATES, sampleToken, type Candidates } from './sampler.ts'
export { philox4x32, uniform } from './philox.ts'
