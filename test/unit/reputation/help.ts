/** Helpers of the reputation tests. */
import { NO_EVIDENCE } from '../../../client/evidence/index.ts'
import {
  MemoryReputationStore,
  Reputation,
  type Audited,
  type Complete,
  type ReputationParameters
} from '../../../client/reputation/index.ts'

export const DIGEST = 'sha256:aa'

export const SECOND = 1_000
export const HOUR = 3_600_000

export function complete(changes: Partial<Complete> = {}): Complete {
  return {
    type: 'complete',
    promptTokens: 200,
    cachedTokens: 0,
    completionTokens: 101,
    roundTripMs: 50,
    estimatedWaitMs: 0,
    ttftMs: 450,
    decodeMs: 2_000,
    longestGapMs: 60,
    claims: { prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 50 },
    ...changes
  }
}

/** An audit after which the evidence has this value. */
export function audit(evidence: number, tokens = 300, by: Audited['by'] = 'own'): Audited {
  const logEvidence = Math.log(evidence)
  return { type: 'audit', by, evidence: { ...NO_EVIDENCE, answers: 1, tokens, peak: logEvidence }, logEvidence }
}

export class TestClock {
  at = 1_000_000_000_000
  readonly now = (): number => this.at

  pass(ms: number): void {
    this.at += ms
  }
}

export function reputationAt(clock: TestClock, parameters: Partial<ReputationParameters> = {}): Reputation {
  return new Reputation({ store: new MemoryReputationStore(), now: clock.now, parameters })
}
