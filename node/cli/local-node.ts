/** The daemon on this machine, if one runs. */
import { readStatus } from '../metrics/control.ts'
import { dataDirectories } from './data-directory.ts'
import type { Environment } from './settings/resolve.ts'
import type { Settings } from './settings/table.ts'

/** Loopback addresses of the node that uses the same data directory; none where none runs. */
export async function localNodeAddresses(
  settings: Pick<Settings, 'dataDir'>,
  env: Environment,
  signal: AbortSignal
): Promise<string[]> {
  try {
    const { addresses } = await readStatus(dataDirectories(settings, env).node, signal)
    return addresses.filter((address) => /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//.test(address))
  } catch {
    return []
  }
}
