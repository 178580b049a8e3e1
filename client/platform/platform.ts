import type { Libp2pOptions } from 'libp2p'

/** What differs between a browser and Node. The `exports` of the package choose one. */
export interface Platform {
  transports: NonNullable<Libp2pOptions['transports']>
  /** Finds peers on the local network, if the platform can. */
  lanDiscovery?: NonNullable<Libp2pOptions['peerDiscovery']>[number]
}
