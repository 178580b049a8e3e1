/** What this machine thinks of a node, in a word and in a sentence. */
import type { PeerStanding } from '@potluck/client'

export function standingWord({ standing, local, trusted }: PeerStanding): string {
  if (local) return 'own'
  if (standing === 'quarantined') return 'quarantined'
  return trusted && standing !== 'banned' ? 'trusted' : standing
}

/** The most telling reason; where nothing was seen yet, that. */
export function standingSentence(peer: PeerStanding): string {
  if (peer.local) return "the user's own node"
  return peer.reasons[0] ?? peer.standing
}
