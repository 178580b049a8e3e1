import type { Libp2pOptions } from 'libp2p'

/** What differs between a browser and Node; chosen by the package's `exports`. */
export interface Platform {
  transports: NonNullable<Libp2pOptions['transports']>
  /** Finds peers on the local network, where the platform can. */
  lanDiscovery?: NonNullable<Libp2pOptions['peerDiscovery']>[number]
}
