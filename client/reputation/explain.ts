/** Says in words and numbers which observations made a score. */
import type { ReputationParameters } from './parameters.ts'
import { mayBeOwnNetwork, penaltyWeight, type Penalty } from './penalty.ts'
import { score, type Score } from './score.ts'
import { PROMPT_BUCKETS, type Average } from './speed.ts'
import type { Cause, PeerState } from './state.ts'

export interface Explanation {
  score: Score
  /** One sentence each, most telling first. Nothing in them was written by a peer. */
  lines: string[]
}

const CAUSES: Record<Cause, string> = {
  complete: 'answers complete',
  late: 'times left for another, later than it had promised',
  unreachable: 'times unreachable while others were not',
  silent: 'times silent after taking a request',
  crashed: 'times its engine failed',
  stalled: 'answers stalled',
  cut: 'answers cut off',
  violation: 'times it broke the protocol',
  audit: 'answers audited'
}

/** @param now milliseconds since the epoch */
export function explain(state: PeerState, parameters: ReputationParameters, now: number): Explanation {
  const current = score(state, parameters, now)
  return {
    score: current,
    lines: [standingLine(state, current, parameters, now), ...causeLines(), ...speedLines(state)]
  }

  function causeLines(): string[] {
    return (Object.entries(state.counts) as Array<[Cause, { count: number; last: number }]>).map(
      ([cause, { count, last }]) => `${count} ${CAUSES[cause]}, the last ${ago(now - last)}${effect(cause)}`
    )
  }

  function effect(cause: Cause): string {
    if (cause === 'complete' || cause === 'late' || cause === 'audit') return ''
    return ` (each weighs as ${penaltyWeight(cause satisfies Penalty, parameters)} failed answers${heldBack(cause)})`
  }
}

function heldBack(penalty: Penalty): string {
  return mayBeOwnNetwork(penalty) ? ', once the own network was proven' : ''
}

function standingLine(
  { integrity }: PeerState,
  { standing, auditedTokens, reliabilityMean, reliability }: Score,
  parameters: ReputationParameters,
  now: number
): string {
  const { logEvidence, banned, quarantinedAt = now } = integrity
  const reliable = `reliable ${percent(reliabilityMean)} on ${(reliability.alpha + reliability.beta).toFixed(1)} answers`
  const audited = `evidence ${evidence(logEvidence)} over ${auditedTokens} audited tokens`
  switch (standing) {
    case 'banned': {
      if (banned?.by !== 'proof') return `banned ${ago(now - (banned?.at ?? now))}: ${audited}`
      return `banned ${ago(now - banned.at)} by another's proof, checked here: evidence ${evidence(banned.logEvidence)}`
    }
    case 'quarantined':
      return `quarantined ${ago(now - quarantinedAt)}: ${audited}, the limit is ${parameters.quarantineEvidence}`
    case 'probationary':
      return `probationary: ${auditedTokens} of ${parameters.probationTokens} tokens audited, ${reliable}`
    case 'established':
      return `established: ${audited}, ${reliable}`
  }
}

function speedLines({ speed }: PeerState): string[] {
  const lines = speed.buckets.flatMap(({ ttft, prefill, interToken }, index) => {
    const parts = [
      said(ttft, (ms) => `first token after ${Math.round(ms)} ms`),
      said(prefill, (rate) => `prefill ${rounded(rate)} tokens/s`),
      said(interToken, (ms) => `decode ${rounded(1000 / ms)} tokens/s`)
    ].filter((part) => part !== undefined)
    return parts.length === 0 ? [] : [`prompts ${bucketName(index)}: ${parts.join(', ')}`]
  })
  const kept = [
    said(speed.prefillKept, (ratio) => `${percent(ratio)} of the prefill`),
    said(speed.decodeKept, (ratio) => `${percent(ratio)} of the decode rate`)
  ].filter((part) => part !== undefined)
  if (kept.length > 0) lines.push(`keeps ${kept.join(' and ')} that its card claims`)
  if (speed.hidden !== undefined && speed.hidden.mean >= 1) {
    lines.push(`makes callers wait ${Math.round(speed.hidden.mean)} ms longer than it tells them`)
  }
  const off = said(speed.off, (ratio) => `completion takes ${rounded(ratio)} times as long as predicted`)
  return off === undefined ? lines : [...lines, off]
}

function said(average: Average | undefined, say: (value: number) => string): string | undefined {
  return average === undefined ? undefined : say(Math.exp(average.mean))
}

function bucketName(index: number): string {
  const most = PROMPT_BUCKETS[index]
  return most === undefined ? `over ${PROMPT_BUCKETS.at(-1)} tokens` : `up to ${most} tokens`
}

function evidence(logEvidence: number): string {
  return logEvidence > 20 ? `e^${Math.round(logEvidence)}` : rounded(Math.exp(logEvidence))
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function rounded(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2)
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s ago`
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min ago`
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h ago`
  return `${Math.round(seconds / 86_400)} d ago`
}
