/** What a client knows of a peer's load and of its own requests there. */
import type { Load } from '@potluck/protocol'
import type { PublicPeer } from './policy.ts'

export class KnownLoad {
  load: Load
  loadAt: number
  inFlight = 0
  /** Of these, sent after the load was told. */
  sentSince = 0

  constructor(peer: PublicPeer, now: number) {
    this.load = peer.load()
    this.loadAt = now
  }

  told(load: Load, now: number): void {
    this.load = load
    this.loadAt = now
    this.sentSince = 0
  }

  sent(): void {
    this.inFlight++
    this.sentSince++
  }

  ended(): void {
    this.inFlight--
    this.sentSince = Math.min(this.sentSince, this.inFlight)
  }
}
