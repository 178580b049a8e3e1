/** What lies where in the data directory. Node and relay are peers of their own, each locks its part. */
import { join } from 'node:path'

import { defaultDataDirectory, type Environment } from './settings/resolve.ts'
import type { Settings } from './settings/table.ts'

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
