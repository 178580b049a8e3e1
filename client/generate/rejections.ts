/**
 * The nodes that rejected the beginning of an answer, which another node sent: they render the prompt differently, or
 * the tokens are not from the model. One node can lie, so the answer fails only if two nodes of different subnets reject
 * it, or one that the user trusts. Against an established node, only established nodes count. Keys and a second subnet
 * cost an attacker little, but audited answers cost it work.
 */
import { seenSubnet } from '../discover/known-node.ts'
import type { Candidate } from '../select/index.ts'
import type { Attempt } from './attempt.ts'

/** Nodes of different subnets that must reject a beginning. One attacker can have many keys, but few subnets. */
const REJECTIONS = 2

/** A decision against a beginning. */
export interface Refutation {
  /**
   * Whether the tokens were measured, and are not from the model. Otherwise the prompt differs, which another version of
   * the rendering explains.
   */
  measured: boolean
  /** Whether the user's own node rejected the beginning. Otherwise the nodes that did can all lie. */
  certain: boolean
}

type Rejecting = Pick<Attempt, 'candidate' | 'connection' | 'accepted'>
type Author = Pick<Candidate, 'standing' | 'trusted' | 'local'>

export class Rejections {
  /** By subnet, or by peer in a LAN, where one subnet has all peers: whether the node had measured the tokens. */
  readonly #measured = new Map<string, boolean>()

  /**
   * Adds the attempt of a node that rejected the beginning. Returns the decision; undefined without one.
   *
   * @param author the node that sent the last tokens of the beginning, if one node did
   */
  add({ candidate, connection, accepted }: Rejecting, author: Author | undefined): Refutation | undefined {
    const { peer, local, trusted } = candidate
    if (author !== undefined && isEstablished(author) && !isEstablished(candidate)) return undefined
    // A node that finds another prompt refuses the request. The tokens are measured after `accepted`.
    const measured = accepted !== undefined
    this.#measured.set((connection && seenSubnet(connection.remoteAddr)) ?? peer, measured)
    if (!local && !trusted && this.#measured.size < REJECTIONS) return undefined
    return local
      ? { measured, certain: true }
      : { measured: [...this.#measured.values()].every(Boolean), certain: false }
  }
}

function isEstablished({ standing, trusted, local }: Author): boolean {
  return standing === 'established' || trusted || local
}
