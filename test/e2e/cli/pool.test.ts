/** `potluck pool`: a private network of real processes, each with a data directory of its own. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { lines, potluck, Running } from './command.ts'

const LOCAL = ['--no-mdns', '--listen', '/ip4/127.0.0.1/tcp/0']

let founder: string
let member: string
let serving: Running
let invite: string

beforeAll(async () => {
  founder = await mkdtemp(join(tmpdir(), 'potluck-founder-'))
  member = await mkdtemp(join(tmpdir(), 'potluck-member-'))
  expect((await potluck(['pool', 'create', 'family'], { home: founder })).code).toBe(0)
  serving = new Running(['serve', 'crumb', '--pool', 'family', '--slots', '1', ...LOCAL], { home: founder })
  await serving.line('ready')
  const [line] = lines((await potluck(['pool', 'invite', 'family', '--json'], { home: founder })).stdout)
  invite = String(line?.invite)
})

afterAll(async () => {
  await serving.stop()
  await rm(founder, { recursive: true, force: true })
  await rm(member, { recursive: true, force: true })
})

test('who joins by the invite gets answers, without any other setting', async () => {
  expect((await potluck(['pool', 'join', invite], { home: member })).stderr).toContain('Joined the pool "family".')
  const { code, stdout } = await potluck(['run', '--pool', 'family', 'Hello'], { home: member })
  expect(code).toBe(0)
  expect(stdout.trim()).not.toBe('')
  expect((await potluck(['pool', 'list'], { home: member })).stdout).toBe('family\n')
})

test('who has the address but not the key gets an error in one line', async () => {
  const { addresses } = (await serving.line('ready')) as unknown as { addresses: string[] }
  const outside = ['run', '--no-mdns', '--bootstrap', addresses[0]!, 'Hello']
  const { code, stderr } = await potluck(outside, { home: await mkdtemp(join(member, 'outsider-')) })
  expect(code).not.toBe(0)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toContain('pool')
})

test('the key is in a file that IPFS can use, for its owner only', async () => {
  const file = join(founder, 'potluck', 'pools', 'family', 'swarm.key')
  expect(await readFile(file, 'utf8')).toMatch(/^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[\da-f]{64}\n$/)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('the node of a pool is apart from the node of the public network', async () => {
  expect((await potluck(['status'], { home: founder })).stderr).toContain('no potluck node answers')
  expect((await potluck(['status', '--pool', 'family'], { home: founder })).stdout).toContain('potluck/crumb:Q8_0')
})

test.each([
  [['pool', 'create', 'Family'], 'cannot name a pool'],
  [['pool', 'create', '../x'], 'cannot name a pool'],
  [['pool', 'create', 'family'], 'there is already a pool "family" with another key'],
  [['pool', 'create'], 'missing name'],
  [['pool', 'join', 'potluck:family?key=abc'], 'the invite is not complete'],
  [['pool', 'leave'], 'unknown action "leave"; use create, invite, join or list'],
  [['run', '--pool', 'friends', 'Hello'], 'there is no pool "friends" on this machine; create it with'],
  [['run', '--pool', '../family', 'Hello'], 'there is no pool "../family" on this machine']
])('%j ends with one line', async (args, says) => {
  const { code, stderr } = await potluck(args, { home: founder })
  expect(code).not.toBe(0)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toContain(says)
})

test('a damaged key is an error, and an invite repairs it', async () => {
  await writeFile(join(member, 'potluck', 'pools', 'family', 'swarm.key'), 'damaged')
  const { stderr } = await potluck(['run', '--pool', 'family', 'Hello'], { home: member })
  expect(stderr).toContain('join it again with an invite of another member')
  // A new key in its place would lose the old one.
  expect((await potluck(['pool', 'create', 'family'], { home: member })).stderr).toContain('cannot read the pool')
  expect((await potluck(['pool', 'join', invite], { home: member })).code).toBe(0)
})
