/** Who answered and how, for those who look: in headers and in `usage.potluck`. */
import type { AnswerMetadata, AnswerPart, Client, Standing } from '../../index.ts'
import type { Usage } from '@potluck/protocol'

import type { WholeAnswer } from './whole.ts'

/** In the usage of an answer. */
export interface PotluckUsage {
  /** The peer id of the node. */
  node: string
  /** Of the model's file, as `sha256:…`. */
  digest: string
  /** Through a relay, or directly. */
  route: 'direct' | 'relayed'
  /** From the request to the first token, milliseconds. */
  ttft_ms: number
  tokens_per_second: number
  /** Nodes that were tried before. */
  failovers: number
  /** What audits of its earlier answers say of the node; null before the client knows it. This answer's own come later. */
  audit: { standing: Standing; audited_tokens: number } | null
  /** Fixes the answer, with the same model and parameters; a string, since it has 64 bits. */
  seed: string
}

/** What the client's audits found, by node and digest. */
export type Audits = (peerId: string, digest: string) => PotluckUsage['audit']

export function auditsOf(client: Pick<Client, 'standing'>): Audits {
  return (peerId, digest) => {
    const known = client.standing().find((one) => one.peerId === peerId && one.model.digest === digest)
    return known === undefined ? null : { standing: known.standing, audited_tokens: known.auditedTokens }
  }
}

/** What the headers of a stream can tell: it begins when a node accepts it. */
export function acceptedHeaders(part: AnswerPart): Record<string, string> {
  if (part.type !== 'accepted') return {}
  return { 'x-potluck-node': part.peerId, 'x-potluck-model': part.model.digest }
}

export function finishedHeaders(answers: readonly WholeAnswer[]): Record<string, string> {
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

export function potluckUsage(metadata: AnswerMetadata, audits: Audits): PotluckUsage {
  const { peerId, model, relayed, ttftMs, tokensPerSecond, failures, seed } = metadata
  return {
    node: peerId,
    digest: model.digest,
    route: routeOf(relayed),
    ttft_ms: Math.round(ttftMs * 10) / 10,
    tokens_per_second: Math.round(tokensPerSecond * 10) / 10,
    failovers: failures.length,
    audit: audits(peerId, model.digest),
    seed: String(seed)
  }
}

function routeOf(relayed: boolean): PotluckUsage['route'] {
  return relayed ? 'relayed' : 'direct'
}

/**
 * Tokens of one request: each prompt once, all answers.
 *
 * @param copies answers to one prompt, which stand side by side
 */
export function sumUsage(answers: readonly { usage: Usage }[], copies: number = answers.length): Usage {
  const prompts = answers.filter((_, index) => index % copies === 0)
  return {
    promptTokens: prompts.reduce((sum, { usage }) => sum + usage.promptTokens, 0),
    cachedTokens: prompts.reduce((sum, { usage }) => sum + usage.cachedTokens, 0),
    completionTokens: answers.reduce((sum, { usage }) => sum + usage.completionTokens, 0)
  }
}
