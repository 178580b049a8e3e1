/**
 * The user's own node, as far as the page shows and controls it. `potluck` implements it with the node's control
 * socket.
 */
import type { Audit, AuditRequest } from '@potluck/protocol'

import { ApiError } from '../errors.ts'
import type { OwnNodeView, PoolInvite } from './types.ts'

export interface OwnNode {
  /** Undefined: no node runs now. */
  view: (signal: AbortSignal) => Promise<OwnNodeView | undefined>
  /** Undefined: the node is in no pool. */
  invite: (signal: AbortSignal) => Promise<PoolInvite | undefined>
  /** Pauses the node, which then takes no new requests, or resumes it. Returns the view afterwards. */
  setPaused: (paused: boolean, signal: AbortSignal) => Promise<OwnNodeView | undefined>
  /** @throws Error if the node cannot audit the answer now */
  audit: (job: AuditRequest, signal: AbortSignal) => Promise<Audit>
  /**
   * Returns the text of each token.
   *
   * @param digest of the model, `sha256:…`
   * @throws Error if the model does not have one of them
   */
  spell: (digest: string, tokens: readonly number[], signal: AbortSignal) => Promise<string[]>
}

/** For a gateway without a node. */
export const NO_NODE: OwnNode = {
  view: async () => undefined,
  invite: async () => undefined,
  setPaused: async () => undefined,
  audit: async () => {
    throw noNode()
  },
  spell: async () => {
    throw noNode()
  }
}

export function noNode(): ApiError {
  return new ApiError('No node of yours runs on this machine. Start one with `potluck serve`.', {
    status: 404,
    type: 'invalid_request_error',
    code: 'no_own_node'
  })
}
