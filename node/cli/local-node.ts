/** The daemon on this machine, if one runs: the user's own node. */
import type { Auditor } from '@potluck/client'

import { askControlAudit, readStatus } from '../control/client.ts'
import { dataDirectories } from './data-directory.ts'
import type { Environment } from './settings/resolve.ts'
import type { Settings } from './settings/table.ts'

export interface LocalNode {
  peerId: string
  /** On loopback. */
  addresses: string[]
  /** Measures answers with the model that the node serves. */
  auditor: Auditor
}

/** The node that uses the same data directory; undefined where none runs. */
export async function findLocalNode(
  settings: Pick<Settings, 'dataDir'>,
  env: Environment,
  signal: AbortSignal
): Promise<LocalNode | undefined> {
  const directory = dataDirectories(settings, env).node
  try {
    const { peerId, addresses, card } = await readStatus(directory, signal)
    const digests = card.models.filter(({ features }) => features.includes('score')).map(({ digest }) => digest)
    return {
      peerId,
      addresses: addresses.filter((address) => /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//.test(address)),
      auditor: {
        holds: (digest) => digests.includes(digest),
        audit: async (job, until) => await askControlAudit(directory, job, until)
      }
    }
  } catch {
    return undefined
  }
}
