/** Who may serve at all. Nothing that passes the gate is weighed against what the gate is for. */
import type { Contender, Mode, Request } from './contender.ts'

export type Refusal =
  | 'banned'
  | 'quarantined'
  | 'draining'
  | 'not_suitable'
  | 'context_too_short'
  | 'not_trusted'
  | 'not_local'

/** Why a contender must not get the request; undefined if it may. */
export function refusalOf(
  contender: Contender,
  { maxTokens = 0 }: Pick<Request, 'maxTokens'>,
  mode: Mode
): Refusal | undefined {
  if (mode === 'local' && !contender.local) return 'not_local'
  if (mode === 'trusted' && !contender.local && !contender.trusted) return 'not_trusted'
  // The user's own node is not judged: whoever controls it controls this client too.
  if (!contender.local && contender.standing === 'banned') return 'banned'
  if (!contender.local && contender.standing === 'quarantined') return 'quarantined'
  if (contender.draining) return 'draining'
  if (!contender.suitable) return 'not_suitable'
  // Beside the answer some prompt has to fit; how much, only the node can count.
  if (contender.contextLength <= maxTokens) return 'context_too_short'
  return undefined
}

/** Known well enough for an ordinary share: by its audits, by the user's word, or as the user's own. */
export function isEstablished({ standing, trusted, local }: Contender): boolean {
  return standing === 'established' || trusted || local
}
