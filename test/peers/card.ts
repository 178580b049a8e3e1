/** Cards of nodes that exist only in tests. */
import type { PeerId } from '@libp2p/interface'
import { CARD_TTL_MS, SAMPLING_CONTRACT, type Card } from '@potluck/protocol'

/** Returns a valid card with these changes. Default: signed now, without models and addresses. */
export function testCard(peerId: PeerId, changes: Partial<Card> = {}): Card {
  const sequence = changes.sequence ?? Date.now()
  return {
    peerId,
    sequence,
    expiresAt: sequence + CARD_TTL_MS,
    addresses: [],
    models: [],
    hardware: { accelerator: 'cpu', device: 'test', vramBytes: 0, ramBytes: 1, cores: 1, os: 'linux x64' },
    slots: 1,
    engine: 'test/1',
    contract: SAMPLING_CONTRACT,
    agent: 'test/1',
    draining: false,
    ...changes
  }
}
