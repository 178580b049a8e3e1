/** A contender with nothing remarkable. */
import { freshState, reputationParameters, type ReputationParameters } from '../../../client/reputation/index.ts'
import type { Contender, Request } from '../../../client/select/index.ts'
import { rank, type Choice, type RankContext } from '../../../client/select/rank.ts'

export const NOW = 1_000_000_000_000
const PARAMETERS: ReputationParameters = reputationParameters()
export const REQUEST: Request = { promptTokens: 200, maxTokens: 500, answerTokens: 200 }

export function contender(peer: string, changes: Partial<Contender> = {}): Contender {
  return {
    peer,
    local: false,
    trusted: false,
    draining: false,
    suitable: true,
    contextLength: 8_192,
    claims: { prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 50 },
    load: { active: 0, queued: 0, slots: 2, estimatedWaitMs: 0 },
    loadAt: NOW,
    roundTripMs: 40,
    inFlight: 0,
    sentSince: 0,
    cachedTokens: 0,
    notBefore: 0,
    standing: 'established',
    // So sure that the draw hardly matters.
    reliability: { alpha: 1e6, beta: 1 },
    auditedTokens: 2_000,
    awaitedAudits: 0,
    speed: freshState(NOW).speed,
    ...changes
  }
}

export function ranked(
  contenders: readonly Contender[],
  context: Partial<RankContext> = {},
  request: Request = REQUEST
): Array<Choice<Contender>> {
  const defaults: RankContext = {
    mode: 'open',
    parameters: PARAMETERS,
    probation: true,
    probationShare: 0,
    now: NOW,
    random: seeded()
  }
  return [...rank(contenders, request, { ...defaults, ...context })]
}

export function names(choices: ReadonlyArray<Choice<Contender>>): string[] {
  return choices.map(({ contender: { peer } }) => peer)
}

/** A small linear congruence: enough to draw from, the same each time. */
export function seeded(seed = 1): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}
