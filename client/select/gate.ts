/** Which nodes may get a request. The gate says yes or no, and does not change the order of the nodes that pass. */
import type { Feature, ModelCard } from '@potluck/protocol'

import type { KnownNode } from '../discover/known-node.ts'
import type { Standing } from '../reputation/index.ts'
import { supports } from './candidate.ts'

/** The nodes that the user allows. `open`: all; `trusted`: the own node and trusted peers; `local`: only the own node. */
export type Mode = 'open' | 'trusted' | 'local'

export type GateReason =
  | 'banned'
  | 'quarantined'
  | 'draining'
  | 'not_suitable'
  | 'context_too_short'
  | 'not_trusted'
  | 'not_local'

export interface GateInput {
  node: KnownNode
  model: ModelCard
  local: boolean
  trusted: boolean
  standing: Standing
}

export interface Requirements {
  features: readonly Feature[]
  /** The caller's limit, if it set one. */
  maxTokens: number | undefined
}

/** Why the model on this node must not get the request. Undefined: it may. */
export function gateReason(
  { node, model, local, trusted, standing }: GateInput,
  { features, maxTokens = 0 }: Requirements,
  mode: Mode
): GateReason | undefined {
  if (mode === 'local' && !local) return 'not_local'
  if (mode === 'trusted' && !local && !trusted) return 'not_trusted'
  // Audits do not exclude the user's own node: an attacker that controls it controls this client too.
  if (!local && standing === 'banned') return 'banned'
  if (!local && standing === 'quarantined') return 'quarantined'
  if (node.card.draining) return 'draining'
  if (!supports(node, model, features)) return 'not_suitable'
  // Some prompt must fit beside the answer. Only the node can count how much.
  if (model.contextLength <= maxTokens) return 'context_too_short'
  return undefined
}
