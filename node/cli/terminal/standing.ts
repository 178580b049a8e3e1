/** Describes the standing of a node in a word and in a sentence. */
import type { PeerStanding } from '@potluck/client'

export function standingWord({ standing, local, trusted }: PeerStanding): string {
  if (local) return 'own'
  return trusted && standing !== 'banned' && standing !== 'quarantined' ? 'trusted' : standing
}

/** The most important reason for the standing. If there is no reason yet, the standing itself. */
export function standingSentence(peer: PeerStanding): string {
  if (peer.local) return 'your own node'
  return peer.reasons[0] ?? peer.standing
}
