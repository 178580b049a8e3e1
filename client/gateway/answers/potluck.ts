/** Reports which node answered and how, in response headers and in `usage.potluck`. */
import type { AnswerMetadata, AnswerPart, Continuity } from '@potluck/client'
import type { Usage } from '@potluck/protocol'

import type { AuditLookup, AuditSummary } from '../audits.ts'

/** What the usage of an answer reports about its node. */
export interface PotluckUsage {
  /** The peer id of the node. */
  node: string
  /** SHA-256 digest of the model's file, as `sha256:…`. */
  digest: string
  /** Whether the connection to the node went through a relay. */
  route: 'direct' | 'relayed'
  /** Milliseconds from the request to the first token. */
  ttft_ms: number
  tokens_per_second: number
  /** How many nodes failed before this node answered. */
  failovers: number
  /**
   * Null if one node produced all tokens. `exact`: all nodes that produced tokens compute the same logits, so one of
   * them would have given the same answer. `same_model`: the answer of one node can differ after some words.
   */
  continuation: Continuity | null
  /**
   * What audits of the node's earlier answers showed. Null if the client does not know the node yet. This answer can
   * only be audited later.
   */
  audit: AuditSummary | null
  /** The same prompt, seed, model and parameters give the same answer. A string, because a seed has 64 bits. */
  seed: string
}

/** Headers of a streamed answer, which are sent when a node accepts the request. */
export function acceptedHeaders(part: AnswerPart): Record<string, string> {
  if (part.type !== 'accepted') return {}
  return { 'x-potluck-node': part.peerId, 'x-potluck-model': part.model.digest }
}

export function finishedHeaders(answers: readonly { metadata: AnswerMetadata }[]): Record<string, string> {
  const [first] = answers
  if (first === undefined) return {}
  const { peerId, model, relayed, failures } = first.metadata
  return {
    'x-potluck-node': peerId,
    'x-potluck-model': model.digest,
    'x-potluck-route': routeOf(relayed),
    'x-potluck-failovers': String(failures.length)
  }
}

export function potluckUsage(metadata: AnswerMetadata, audits: AuditLookup): PotluckUsage {
  const { peerId, model, relayed, ttftMs, tokensPerSecond, failures, continuation = null, seed } = metadata
  return {
    node: peerId,
    digest: model.digest,
    route: routeOf(relayed),
    ttft_ms: Math.round(ttftMs * 10) / 10,
    tokens_per_second: Math.round(tokensPerSecond * 10) / 10,
    failovers: failures.length,
    continuation,
    audit: audits(peerId, model.digest),
    seed: String(seed)
  }
}

function routeOf(relayed: boolean): PotluckUsage['route'] {
  return relayed ? 'relayed' : 'direct'
}

/**
 * Counts the tokens of one request. A prompt counts once, even if it has several answers. Each answer counts.
 *
 * @param copies how many answers each prompt has. Answers to the same prompt must be adjacent
 */
export function sumUsage(answers: readonly { usage: Usage }[], copies: number = answers.length): Usage {
  const prompts = answers.filter((_, index) => index % copies === 0)
  return {
    promptTokens: prompts.reduce((sum, { usage }) => sum + usage.promptTokens, 0),
    cachedTokens: prompts.reduce((sum, { usage }) => sum + usage.cachedTokens, 0),
    completionTokens: answers.reduce((sum, { usage }) => sum + usage.completionTokens, 0)
  }
}
