/** The identity and the datastore on disk, whole and damaged. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { loadOrCreateSelfKey } from '@libp2p/config'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { openIdentity } from '../../../node/data/identity.ts'

let dataDirectory: string
let keyFile: string
let datastore: string

beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'potluck-identity-'))
  keyFile = join(dataDirectory, 'identity.key')
  datastore = join(dataDirectory, 'datastore')
  onTestFinished(() => rmSync(dataDirectory, { recursive: true }))
})

/** Opens and closes the identity. Returns its public key and the reports about damage. */
async function start(): Promise<{ publicKey: string; damage: string[] }> {
  const damage: string[] = []
  const identity = await openIdentity({ dataDirectory, onDamage: (message) => damage.push(message) })
  await identity.close()
  return { publicKey: identity.privateKey.publicKey.toString(), damage }
}

/** Fills a datastore as an earlier version did, with the key inside. */
async function startEarlierVersion(): Promise<string> {
  const level = new LevelDatastore(datastore)
  await level.open()
  const key = await loadOrCreateSelfKey(level)
  await level.close()
  return key.publicKey.toString()
}

function filesOf(pattern: RegExp): string[] {
  return readdirSync(datastore).filter((name) => pattern.test(name))
}

test('provider records of earlier versions are removed, and the cards stay', async () => {
  await startEarlierVersion()
  const old = new LevelDatastore(datastore)
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

test('the key is in its own file, which only the owner can read, and stays the same', async () => {
  const { publicKey } = await start()
  chmodSync(keyFile, 0o644)
  chmodSync(dataDirectory, 0o755)
  expect(await start()).toEqual({ publicKey, damage: [] })
  expect([keyFile, dataDirectory, datastore].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o700, 0o700])
  expect(readdirSync(dataDirectory).sort()).toEqual(['datastore', 'identity.key'])
})

test.each<[string, (file: string) => void]>([
  ['empty', (file) => truncateSync(file, 0)],
  ['truncated', (file) => truncateSync(file, 40)],
  ['longer', (file) => writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(1)]))],
  ['foreign', (file) => writeFileSync(file, 'This text is not a key.')],
  [
    'changed by one bit',
    (file) => {
      const bytes = readFileSync(file)
      bytes[20]! ^= 1
      writeFileSync(file, bytes)
    }
  ]
])('a key file that is %s ends the start with one line, and is not replaced', async (_, damage) => {
  await start()
  damage(keyFile)
  const damaged = readFileSync(keyFile)
  await expect(start()).rejects.toThrow(/^cannot use the identity key in [^\n]+: restore|; restore it from a backup/)
  expect(readFileSync(keyFile)).toEqual(damaged)
})

describe('a damaged datastore is moved aside, and the identity stays, if', () => {
  test.each<[string, () => void]>([
    ['the file CURRENT is gone', () => rmSync(join(datastore, 'CURRENT'))],
    ['the file CURRENT is empty', () => truncateSync(join(datastore, 'CURRENT'), 0)],
    ['the manifest is gone', () => rmSync(join(datastore, filesOf(/^MANIFEST/)[0]!))],
    [
      'the manifest is text',
      () => writeFileSync(join(datastore, filesOf(/^MANIFEST/)[0]!), 'not a manifest'.repeat(9))
    ],
    ['a table is gone', () => rmSync(join(datastore, filesOf(/\.(ldb|sst)$/)[0]!))],
    ['a table is empty', () => truncateSync(join(datastore, filesOf(/\.(ldb|sst)$/)[0]!), 0)]
  ])('%s', async (_, damage) => {
    const { publicKey } = await start()
    const identity = await openIdentity({ dataDirectory })
    await identity.datastore.put(new Key('/dht/record/x'), new Uint8Array(100))
    await identity.close()
    // The next start writes the log of the last one into a table.
    await start()
    damage()
    const after = await start()
    expect(after.publicKey).toBe(publicKey)
    expect(after.damage).toEqual([
      expect.stringMatching(/^The datastore in \S+ was damaged\. It is now in \S+\.damaged-/)
    ])
    expect(await start()).toEqual({ publicKey, damage: [] })
  })

  test('that happens again and again, of which three copies stay', async () => {
    await start()
    for (let round = 0; round < 5; round++) {
      rmSync(join(datastore, 'CURRENT'))
      await start()
    }
    expect(readdirSync(dataDirectory).filter((name) => name.startsWith('datastore.damaged-'))).toHaveLength(3)
  })
})

describe('a datastore of an earlier version, which contains the key,', () => {
  test('gives the key to the file', async () => {
    const publicKey = await startEarlierVersion()
    expect(await start()).toEqual({ publicKey, damage: [] })
    expect(existsSync(keyFile)).toBe(true)
    expect(await start()).toEqual({ publicKey, damage: [] })
    const level = new LevelDatastore(datastore)
    await level.open()
    expect(await level.has(new Key('/pkcs8/self'))).toBe(false)
    await level.close()
  })

  test('with a truncated log ends the start, again and again, and never makes a new identity', async () => {
    await startEarlierVersion()
    for (const log of filesOf(/\.log$/)) truncateSync(join(datastore, log), 0)
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(start()).rejects.toThrow(/^cannot find the identity key of this peer in \S+: restore/)
    }
    expect(existsSync(keyFile)).toBe(false)
  })

  test('that cannot be read ends the start, and stays where it is', async () => {
    await startEarlierVersion()
    await startEarlierVersion()
    rmSync(join(datastore, 'CURRENT'))
    const files = readdirSync(datastore)
    await expect(start()).rejects.toThrow(/^the datastore is damaged, and cannot find the identity key/)
    expect(readdirSync(datastore)).toEqual(files)
  })
})

test('a daemon that waits for the lock of a first start does not make a second key', async () => {
  const [first, second] = await Promise.allSettled([openIdentity({ dataDirectory }), openIdentity({ dataDirectory })])
  const opened = [first, second].flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const reasons = [first, second].flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
  expect(opened).toHaveLength(1)
  expect(reasons).toEqual([expect.stringContaining('another potluck node uses')])
  await opened[0]!.close()
  expect((await start()).publicKey).toBe(opened[0]!.privateKey.publicKey.toString())
})
