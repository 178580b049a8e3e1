import type { JSX } from 'preact'

import { activity } from '../state/network.ts'
import { showPeer } from '../state/panel.ts'
import { shortPeer } from '../text/format.ts'

/** A peer by the end of its id. A click opens its entry in the list of nodes. */
export function Peer({ peer }: { peer: string }): JSX.Element {
  return (
    <button type="button" class="peer" title={peer} onClick={() => showPeer(peer)}>
      {shortPeer(peer)}
    </button>
  )
}

/** Lights up while the node works for this client. */
export function ActivityDot({ peer, standing }: { peer: string; standing: string }): JSX.Element {
  return <span class="dot" data-standing={standing} data-activity={activity.value.get(peer)} />
}
