import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { expect, onTestFinished, test } from 'vitest'

import { openIdentity } from '../../../node/network/identity.ts'

test('provider records of earlier versions are removed, and the cards stay', async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'potluck-identity-'))
  onTestFinished(() => rmSync(dataDirectory, { recursive: true }))
  const old = new LevelDatastore(join(dataDirectory, 'datastore'))
  await old.open()
  for (const name of ['/dht/provider/a/b', '/dht/provider/a/c', '/dht/record/x']) {
    await old.put(new Key(name), new Uint8Array([1]))
  }
  await old.close()

  const identity = await openIdentity({ dataDirectory })
  const names: string[] = []
  for await (const key of identity.datastore.queryKeys({ prefix: '/dht/' })) names.push(key.toString())
  await identity.close()
  expect(names).toEqual(['/dht/record/x'])
})
