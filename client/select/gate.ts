/** The gate: which nodes may get a request. It does not change the order of the nodes that pass. */
import type { Feature } from '@potluck/protocol'

import { supports, type Candidate } from './candidate.ts'

/**
 * The nodes that the user allows. `open`: all; `trusted`: the user's own node and trusted peers; `local`: only the own
 * one.
 */
export type Mode = 'open' | 'trusted' | 'local'

export type GateReason =
  | 'banned'
  | 'quarantined'
  | 'draining'
  | 'not_suitable'
  | 'context_too_short'
  | 'not_trusted'
  | 'not_local'

export interface Requirements {
  features: readonly Feature[]
  /** The caller's limit, if it set one. */
  maxTokens: number | undefined
}

/** Returns why the user's mode excludes the node; undefined if the mode allows it. */
export function modeReason(
  { local, trusted }: Pick<Candidate, 'local' | 'trusted'>,
  mode: Mode
): GateReason | undefined {
  if (mode === 'local' && !local) return 'not_local'
  if (mode === 'trusted' && !local && !trusted) return 'not_trusted'
  return undefined
}

/** Returns why the model on this node must not get the request; undefined if it may. */
export function gateReason(
  { node, model, local, trusted, standing }: Pick<Candidate, 'node' | 'model' | 'local' | 'trusted' | 'standing'>,
  { features, maxTokens = 0 }: Requirements,
  mode: Mode
): GateReason | undefined {
  const excluded = modeReason({ local, trusted }, mode)
  if (excluded !== undefined) return excluded
  // Audits do not exclude the user's own node: an attacker that controls it controls this client too.
  if (!local && standing === 'banned') return 'banned'
  if (!local && standing === 'quarantined') return 'quarantined'
  if (node.card.draining) return 'draining'
  if (!supports(node, model, features)) return 'not_suitable'
  // The prompt needs room beside the answer. Only the node can count how much.
  if (model.contextLength <= maxTokens) return 'context_too_short'
  return undefined
}
