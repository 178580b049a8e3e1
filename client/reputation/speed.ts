/**
 * Speed: what this client measured, against what the card claims.
 *
 * Averages are of logarithms, since a peer that is ten times slower matters as much at 10 ms as at
 * 10 s, and they are peak-sensitive as Finagle's PeakEwma: a worse sample weighs at once, a better
 * one slowly, so that a straggler is left quickly and has to earn its way back.
 */
import type { Claims, Complete, Late } from './observation.ts'
import type { ReputationParameters } from './parameters.ts'

/** Of natural logarithms, where not said otherwise. */
export interface Average {
  mean: number
  /** Mean distance from it. */
  deviation: number
  /** Samples behind it, decaying. */
  weight: number
  /** Milliseconds since the epoch. */
  at: number
}

export interface BucketSpeed {
  /** Time to the first token, as the caller felt it, ms. */
  ttft?: Average
  /** Tokens per second of what was not cached, all waiting apart. */
  prefill?: Average
  /** Between two tokens, ms. */
  interToken?: Average
}

export interface Speed {
  /** By tokens of the prompt that were not cached, see `PROMPT_BUCKETS`. */
  buckets: readonly BucketSpeed[]
  /** Measured over claimed rates: 1 keeps its word. */
  prefillKept?: Average
  decodeKept?: Average
  /** The wait that it told with `accepted`, ms itself: most are 0. */
  wait?: Average
  /** How much longer callers wait than it tells, ms itself. Who lies about its load shows here. */
  hidden?: Average
  /** The longest gap of an answer, ms. */
  gap?: Average
  /** Actual over predicted completion time. */
  off?: Average
}

export interface Work {
  promptTokens: number
  /** Of these, what the peer is thought to hold. */
  cachedTokens: number
  answerTokens: number
}

export interface Prediction {
  prefillMs: number
  decodeMs: number
}

/** Upper bounds in tokens; the last bucket has none. Attention makes long prompts slower per token. */
export const PROMPT_BUCKETS: readonly number[] = [256, 1_024, 4_096, 16_384]
/** What any prompt costs at least, in tokens: rendering, admission, one evaluation. Keeps a rate over 3 tokens from looking tiny. */
const OVERHEAD_TOKENS = 64
/** Where a card claims nothing: a slow CPU. */
const UNCLAIMED: Claims = { prefillTokensPerSecond: 40, decodeTokensPerSecond: 8 }
/** A prefill may take this many times as long as expected before the rest counts as a wait. */
const PREFILL_TOLERANCE = 3
/** Deviation before a second sample, of a logarithm: a factor of 1.3. */
const FIRST_DEVIATION = 0.3
/** More samples than this say no more: beyond it an average would stop moving. */
const MAX_WEIGHT = 50
/**
 * Silence between tokens that is never a stall: a busy node's prefill of another prompt, a garbage
 * collection and a lost packet's retransmission all stay below it.
 */
const LEAST_STALL_MS = 1_200
/** How far over the longest gap of its usual answer a peer has to be. */
const LONGEST_GAPS = 3
/** And over the usual gap of this answer: another node can evaluate the prompt again meanwhile. */
const USUAL_GAPS = 20

export const FRESH_SPEED: Speed = { buckets: Array.from({ length: PROMPT_BUCKETS.length + 1 }, () => ({})) }

function bucketOf(tokens: number): number {
  const index = PROMPT_BUCKETS.findIndex((bound) => tokens <= bound)
  return index === -1 ? PROMPT_BUCKETS.length : index
}

export function addTimes(speed: Speed, seen: Complete, parameters: ReputationParameters, now: number): Speed {
  const uncached = Math.max(0, seen.promptTokens - seen.cachedTokens)
  const index = bucketOf(uncached)
  const claims = claimed(seen.claims)
  const worseHigh = (average: Average | undefined, value: number): Average =>
    learn(average, Math.log(Math.max(value, 0.01)), 1, parameters, now)
  const worseLow = (average: Average | undefined, value: number): Average =>
    learn(average, Math.log(Math.max(value, 0.01)), -1, parameters, now)

  const serviceMs = Math.max(1, seen.ttftMs - seen.toldWaitMs - seen.roundTripMs)
  const hiddenMs = hiddenWait(speed, { ...seen, waitedMs: seen.ttftMs }, parameters, now)
  const prefillRate = ((uncached + OVERHEAD_TOKENS) * 1000) / Math.max(1, serviceMs - hiddenMs)
  const bucket = speed.buckets[index] ?? {}
  const next: BucketSpeed = {
    ...bucket,
    ttft: worseHigh(bucket.ttft, seen.ttftMs),
    prefill: worseLow(bucket.prefill, prefillRate)
  }
  const updated: Speed = {
    ...speed,
    buckets: speed.buckets.with(index, next),
    wait: learn(speed.wait, seen.toldWaitMs, 0, parameters, now),
    hidden: learn(speed.hidden, hiddenMs, 1, parameters, now),
    prefillKept: worseLow(speed.prefillKept, prefillRate / claims.prefillTokensPerSecond)
  }
  if (seen.completionTokens > 1) {
    const interTokenMs = Math.max(0.01, seen.decodeMs / (seen.completionTokens - 1))
    next.interToken = worseHigh(bucket.interToken, interTokenMs)
    updated.decodeKept = worseLow(speed.decodeKept, 1000 / interTokenMs / claims.decodeTokensPerSecond)
    updated.gap = worseHigh(speed.gap, seen.longestGapMs)
  }
  if (seen.predictedMs !== undefined) {
    updated.off = worseHigh(speed.off, (seen.ttftMs + seen.decodeMs) / Math.max(1, seen.predictedMs))
  }
  return updated
}

/** A wait without a first token says at least how long it was; one within what was told says nothing. */
export function addLateness(speed: Speed, seen: Late, parameters: ReputationParameters, now: number): Speed {
  const hiddenMs = hiddenWait(speed, seen, parameters, now)
  if (hiddenMs <= (speed.hidden?.mean ?? 0)) return speed
  return { ...speed, hidden: learn(speed.hidden, hiddenMs, 1, parameters, now) }
}

/**
 * What a wait is longer than told and than several times the prefill that was to be expected. Less
 * than that is slow prefill: the two look alike, but only one grows with the prompt.
 */
function hiddenWait(speed: Speed, seen: Omit<Late, 'type'>, parameters: ReputationParameters, now: number): number {
  const { prefillMs } = predict(speed, { ...seen, answerTokens: 0 }, seen.claims, parameters, now)
  const beyond = seen.waitedMs - seen.toldWaitMs - seen.roundTripMs - PREFILL_TOLERANCE * prefillMs
  return Math.max(0, beyond)
}

/** Prefill of what is not cached, and decode: the claim until something was measured, and less and less afterwards. */
export function predict(
  speed: Speed,
  work: Work,
  claims: Claims,
  parameters: ReputationParameters,
  now: number
): Prediction {
  const uncached = Math.max(0, work.promptTokens - work.cachedTokens)
  const bucket = speed.buckets[bucketOf(uncached)] ?? {}
  const { prefillTokensPerSecond, decodeTokensPerSecond } = claimed(claims)
  // A bucket without samples: the claim, corrected by how well the peer keeps it elsewhere.
  const prefillClaim = Math.log(prefillTokensPerSecond) + blend(speed.prefillKept, 0, parameters, now)
  const decodeClaim = -Math.log(decodeTokensPerSecond / 1000) - blend(speed.decodeKept, 0, parameters, now)
  const prefillRate = Math.exp(blend(bucket.prefill, prefillClaim, parameters, now))
  const interTokenMs = Math.exp(blend(bucket.interToken, decodeClaim, parameters, now))
  return {
    prefillMs: ((uncached + OVERHEAD_TOKENS) * 1000) / prefillRate,
    decodeMs: Math.max(0, work.answerTokens - 1) * interTokenMs
  }
}

/** The wait that a request is told there usually, ms; 0 where nothing is known. */
export function usualWaitMs({ wait }: Speed): number {
  return wait?.mean ?? 0
}

/** How much longer callers wait there than they are told, ms. */
export function hiddenWaitMs({ hidden }: Speed): number {
  return hidden?.mean ?? 0
}

/**
 * A gap after which this peer has stalled. A node that stopped looks like one that is slow, so silence
 * is measured against the peer's own gaps: one that gives a token each second may pause for longer
 * than one that gives a hundred.
 *
 * @param usualGapMs of this answer so far, undefined before its second token
 * @param mostMs the patience with a peer of which nothing is known, and the bound
 */
export function stallAfterMs({ gap }: Speed, usualGapMs: number | undefined, mostMs: number): number {
  if (gap === undefined && usualGapMs === undefined) return mostMs
  const before = gap === undefined ? 0 : LONGEST_GAPS * Math.exp(gap.mean + LONGEST_GAPS * gap.deviation)
  const now = USUAL_GAPS * (usualGapMs ?? 0)
  return Math.min(mostMs, Math.max(LEAST_STALL_MS, before, now))
}

function claimed({ prefillTokensPerSecond, decodeTokensPerSecond }: Claims): Claims {
  return {
    prefillTokensPerSecond: prefillTokensPerSecond > 0 ? prefillTokensPerSecond : UNCLAIMED.prefillTokensPerSecond,
    decodeTokensPerSecond: decodeTokensPerSecond > 0 ? decodeTokensPerSecond : UNCLAIMED.decodeTokensPerSecond
  }
}

/** @param worse the sign of a change for the worse; 0: a change of either kind is as telling */
function learn(
  average: Average | undefined,
  value: number,
  worse: 1 | 0 | -1,
  { speedHalfLifeMs, speedPeakGain, speedCalmGain }: ReputationParameters,
  now: number
): Average {
  if (average === undefined) return { mean: value, deviation: FIRST_DEVIATION, weight: 1, at: now }
  const weight = weightNow(average, speedHalfLifeMs, now)
  const change = value - average.mean
  const gain = Math.max(change * worse > 0 ? speedPeakGain : speedCalmGain, 1 / (weight + 1))
  return {
    mean: average.mean + gain * change,
    deviation: average.deviation + gain * (Math.abs(change) - average.deviation),
    weight: Math.min(weight + 1, MAX_WEIGHT),
    at: now
  }
}

function blend(
  average: Average | undefined,
  prior: number,
  { claimWeight, speedHalfLifeMs }: ReputationParameters,
  now: number
): number {
  if (average === undefined) return prior
  const weight = weightNow(average, speedHalfLifeMs, now)
  return (prior * claimWeight + average.mean * weight) / (claimWeight + weight)
}

function weightNow({ weight, at }: Average, halfLifeMs: number, now: number): number {
  return weight * 2 ** (-Math.max(0, now - at) / halfLifeMs)
}
