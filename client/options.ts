/** What an application can set of a client. */
import type { Libp2p } from '@libp2p/interface'
import type { ClockSkew, PhaseTimeouts, Scope } from '@potluck/protocol'

import type { Auditor } from './audit/auditor.ts'
import type { OptionNames } from './base/known-options.ts'
import type { PeerStore } from './peers/peer-store.ts'
import type { ReputationParameters, ReputationStore } from './reputation/index.ts'
import type { Mode } from './select/index.ts'

export interface ClientOptions {
  /** Multiaddrs, with `/p2p/…`, of relays or nodes through which the client joins the network. Default: none. */
  bootstrap?: readonly string[]
  /** Finds peers on the local network by multicast DNS. Not in a browser. Default: only without a bootstrap address. */
  mdns?: boolean
  /**
   * `local` dials private addresses, `public` does not. Default: `public` if a bootstrap address is public or, without
   * bootstrap addresses, the address of a saved peer.
   */
  scope?: Scope
  /**
   * The text of a swarm key file, as of IPFS. The client then joins the private network of the peers with this key, and
   * no other peer can connect to it. Default: the public network.
   */
  swarmKey?: string
  /** The application's own libp2p node, which must run the network's DHT. The client does not stop it. */
  libp2p?: Libp2p
  /**
   * Which nodes may get a request. `open` (default): all nodes except the quarantined and banned ones. `trusted`: the
   * user's own node and the trusted ones. `local`: only the user's own node. No other node gets a prompt,
   * but the client still looks up nodes and their cards on the network.
   */
  mode?: Mode
  /**
   * Peer id of the user's own node on this machine. The client asks it first while it has a free slot, and does not
   * audit it.
   */
  localNode?: string
  /** Peer ids of nodes that the user trusts. They skip probation, but the client audits them like all others. */
  trusted?: readonly string[]
  /** Where the client keeps what it learns about nodes. Default: in memory. */
  reputation?: ReputationSettings
  /**
   * Where the client keeps addresses of peers, to join the network again without a bootstrap address. Default: in
   * memory.
   */
  peers?: PeerSettings
  /**
   * Audits answers with the user's own engine or node: see `auditorOf`. Default: other nodes audit shareable answers
   * and the answers to probes.
   */
  auditor?: Auditor
  /** The timeout of each phase of an attempt. Default `DEFAULT_TIMEOUTS`. */
  timeouts?: Partial<PhaseTimeouts>
  /**
   * Called when the client finds that this machine's clock is wrong, and with undefined when it is right again. A
   * client with a wrong clock refuses the cards of all nodes. `clockWarning` describes it in a sentence.
   */
  onClockSkew?: (skew: ClockSkew | undefined) => void
  /** Stops the client. */
  signal?: AbortSignal
}

/** The names of `ClientOptions`. */
export const CLIENT_OPTIONS: OptionNames<ClientOptions> = {
  bootstrap: true,
  mdns: true,
  scope: true,
  swarmKey: true,
  libp2p: true,
  mode: true,
  localNode: true,
  trusted: true,
  reputation: true,
  peers: true,
  auditor: true,
  timeouts: true,
  onClockSkew: true,
  signal: true
}

export type ReputationSettings = {
  /** Changes to `DEFAULT_REPUTATION`. */
  parameters?: Partial<ReputationParameters>
} & (
  | { store?: undefined }
  | {
      /** The client closes it when it stops. */
      store: ReputationStore
      /** Called when the store fails. The client continues with what it has in memory. */
      onStoreError: (error: Error) => void
    }
)

export type PeerSettings =
  | { store?: undefined; onStoreError?: undefined }
  | {
      /** The client closes it when it stops. */
      store: PeerStore
      /** Called when the store fails. The client continues with what it has in memory. */
      onStoreError: (error: Error) => void
    }

export interface FindOptions {
  signal?: AbortSignal
}
