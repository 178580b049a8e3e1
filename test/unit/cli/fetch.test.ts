import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { fetchModel } from '../../../node/cli/model/fetch.ts'
import { nameOf, statedDigest } from '../../../node/cli/model/hub.ts'
import { Hub } from './hub.ts'

const URI = 'hf:user/repo:Q8_0'
/** What the library fetches, and takes up again, in one piece. */
const CHUNK_BYTES = 5 * 1024 * 1024

let hub: Hub
let directory: string

beforeEach(async () => {
  hub = await Hub.start(100_000)
  directory = await mkdtemp(join(tmpdir(), 'potluck-fetch-'))
  vi.stubEnv('HF_ENDPOINT', hub.url)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await hub.stop()
  await rm(directory, { recursive: true, force: true })
})

async function fetchIt(expected?: string, uri = URI): Promise<string> {
  return await fetchModel(uri, { directory, expected, json: false, signal: new AbortController().signal })
}

/** Files that could be taken for a checked model. */
async function models(): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.gguf'))
}

/** The library notes which chunks are whole behind the end of the file that is to be. */
async function hasWholeChunk(length: number): Promise<boolean> {
  const incoming = join(directory, 'incoming')
  const files = await readdir(incoming).catch(() => [])
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(incoming, name))).size))
  return sizes.some((size) => size > length)
}

test('a model is fetched once', async () => {
  const path = await fetchIt()
  expect(await readFile(path)).toEqual(hub.content)
  const { length } = hub.starts
  expect(await fetchIt()).toBe(path)
  expect(hub.starts).toHaveLength(length)
})

test('by a URL, too', async () => {
  const path = await fetchIt(hub.digest, `${hub.url}/files/storage/tiny-Q8_0.gguf`)
  expect(await readFile(path)).toEqual(hub.content)
})

test('what is not what the hub states is removed', async () => {
  hub.stated = `sha256:${'0'.repeat(64)}`
  await expect(fetchIt()).rejects.toThrow('not sha256:000')
  expect(await models()).toEqual([])
  hub.stated = hub.digest
  expect(await readFile(await fetchIt())).toEqual(hub.content)
})

test('what the user asked for goes before what the hub states', async () => {
  hub.stated = `sha256:${'0'.repeat(64)}`
  expect(await readFile(await fetchIt(hub.digest))).toEqual(hub.content)
})

test('a file that is there already is held against what the user asked for', async () => {
  await fetchIt()
  await expect(fetchIt(`sha256:${'1'.repeat(64)}`)).rejects.toThrow('not sha256:111')
})

test('a hub that states nothing is believed', async () => {
  hub.stated = undefined
  expect(await readFile(await fetchIt())).toEqual(hub.content)
})

test('an interrupted download goes on where it stopped', async () => {
  const large = await Hub.start(2 * CHUNK_BYTES)
  vi.stubEnv('HF_ENDPOINT', large.url)
  large.stallAt = CHUNK_BYTES
  const interrupted = new AbortController()
  const fetching = fetchModel(URI, { directory, expected: undefined, json: false, signal: interrupted.signal })
  const failure = fetching.catch((error: unknown) => error)
  await vi.waitUntil(async () => await hasWholeChunk(large.content.length), { timeout: 30_000 })
  interrupted.abort(new Error('enough'))
  expect(await failure).toMatchObject({ message: 'enough' })
  expect(await models()).toEqual([])

  large.stallAt = Number.POSITIVE_INFINITY
  large.starts.length = 0
  expect(await readFile(await fetchIt())).toEqual(large.content)
  expect(large.starts).not.toContain(0)
  await large.stop()
})

test('what is not there is told in one line', async () => {
  await expect(fetchIt(undefined, 'hf:user/repo:Q1_0')).rejects.toThrow(/^cannot download hf:user\/repo:Q1_0: .+$/)
})

test('names come from where the model comes', () => {
  expect(nameOf(URI)).toBe('user/repo:Q8_0')
  expect(nameOf('hf:user/repo')).toBe('user/repo')
  expect(nameOf('hf:user/repo/deep/Tiny-Q4_0.gguf#dev')).toBe('user/repo:Tiny-Q4_0')
  expect(nameOf('https://example.org/tiny.gguf')).toBeUndefined()
})

test('the stated digest of anything else is unknown', async () => {
  const { signal } = new AbortController()
  expect(await statedDigest(URI, signal)).toBe(hub.digest)
  expect(await statedDigest('hf:user/repo/tiny-Q8_0.gguf', signal)).toBe(hub.digest)
  expect(await statedDigest('hf:user/other:Q8_0', signal)).toBeUndefined()
  expect(await statedDigest('./file.gguf', signal)).toBeUndefined()
})
