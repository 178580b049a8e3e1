/** The folders in the data directory. A node and a relay are separate peers, and each locks its own folder. */
import { join } from 'node:path'

import { defaultDataDirectory, type Environment } from './resolve.ts'
import type { Settings } from './table.ts'

export interface DataDirectories {
  client: string
  node: string
  relay: string
  models: string
}

export function dataDirectories({ dataDir }: Pick<Settings, 'dataDir'>, env: Environment): DataDirectories {
  const root = dataDir ?? defaultDataDirectory(env)
  return {
    client: join(root, 'client'),
    node: join(root, 'node'),
    relay: join(root, 'relay'),
    models: join(root, 'models')
  }
}
