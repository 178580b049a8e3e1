/** One request to one node, whatever others there are: for a probe. */
import { PotluckError, type PhaseTimeouts } from '@potluck/protocol'

import { parseAddresses } from '../discover/ask-card.ts'
import type { Network } from '../network/network.ts'
import { toRequest, type Ask } from '../request.ts'
import type { Offer } from '../select/index.ts'
import { attempt } from './attempt.ts'
import { Gaps } from './gaps.ts'
import type { Answered } from './generate.ts'

export interface AskOneContext {
  network: Pick<Network, 'connect'>
  timeouts: PhaseTimeouts
  signal: AbortSignal
}

/** @throws PotluckError as `attempt` */
export async function askOne(
  { digest, model, sighting: { card } }: Pick<Offer, 'digest' | 'model' | 'sighting'>,
  ask: Ask,
  { network, timeouts, signal }: AskOneContext
): Promise<Answered> {
  const { peerId } = card
  const options = { network, timeouts, signal, gaps: new Gaps(), stallAfterMs: () => timeouts.tokenMs }
  let text = ''
  for await (const event of attempt({ peerId, addresses: parseAddresses(card) }, toRequest(ask, model), options)) {
    if (event.type === 'delta') text += event.delta.text
    if (event.type === 'done') return { peerId, digest, ask, record: event.record, text }
  }
  throw new PotluckError('stream_cut', 'the answer has no end', { peer: peerId.toString() })
}
