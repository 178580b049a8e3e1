import type { DialGate } from '@potluck/protocol'
import type { Libp2pOptions } from 'libp2p'

/** What differs between a browser and Node. The `exports` of the package choose one. */
export interface Platform {
  /**
   * @param names undefined: any name may have any address. Otherwise only these names may have private addresses
   */
  transports: (names: ReadonlySet<string> | undefined) => NonNullable<Libp2pOptions['transports']>
  /** Resolves a name, if the platform can. */
  lookup?: DialGate['resolve']
  /**
   * Finds peers on the local network, if the platform can.
   *
   * @param serviceTag the service in multicast DNS; default: that of libp2p
   */
  lanDiscovery?: (serviceTag?: string) => NonNullable<Libp2pOptions['peerDiscovery']>[number]
}
