/** Starts the Go peer of `test/go/peer` and sends commands to it. It stops with the test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { onTestFinished } from 'vitest'

/** `scripts/test-go.ts` builds it. */
const BINARY = fileURLToPath(new URL('../../.cache/go-peer', import.meta.url))

/** A provider record, as the Go peer sees it. */
export interface GoProvider {
  id: string
  addrs: string[]
}

/** How a hostile server replies. `hostile.go` describes the kinds. */
export type Hostility = 'peers' | 'ids' | 'empty' | 'values' | 'long-values' | 'bytes' | 'endless' | 'slow' | 'silent'

export interface GoPeer {
  peer: string
  addresses: string[]
  /** Connects to a peer. */
  connect: (address: string) => Promise<void>
  /** The peer ids in the routing table. */
  table: () => Promise<string[]>
  /** Searches the DHT for providers. */
  find: (cid: string) => Promise<GoProvider[]>
  /** The provider records that this peer stores. */
  stored: (cid: string) => Promise<GoProvider[]>
  provide: (cid: string) => Promise<void>
  /** Searches the DHT for a value. */
  get: (key: Uint8Array) => Promise<Uint8Array>
  /** Stores a value in the DHT. */
  put: (key: Uint8Array, value: Uint8Array) => Promise<void>
  /** Sends a value to one peer. Returns whether that peer stored it. */
  putTo: (address: string, key: Uint8Array, value: Uint8Array) => Promise<boolean>
  /** Sends one peer a provider record, and this number of records of other peers. */
  provideTo: (address: string, cid: string, others: number) => Promise<boolean>
  /** Replies to all further requests like this. `count` is the number of peers to invent. */
  misbehave: (how: Hostility, count?: number) => Promise<void>
}

interface Reply {
  id: number
  result?: unknown
  error?: string
}

/** @param args `-mode relay -data 20000`, for example. Default: a server of the DHT. */
export async function goPeer(...args: string[]): Promise<GoPeer> {
  const child = spawn(BINARY, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const ready = Promise.withResolvers<Pick<GoPeer, 'peer' | 'addresses'>>()
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const fail = (why: string): void => {
    for (const { reject } of [ready, ...waiting.values()]) reject(new Error(why))
  }
  child.on('error', (error) => fail(error.message))
  child.on('exit', (code) => fail(`the Go peer ended with ${code}`))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const reply = JSON.parse(line) as Reply | (Pick<GoPeer, 'peer' | 'addresses'> & { id?: undefined })
    if (reply.id === undefined) return ready.resolve(reply)
    const asked = waiting.get(reply.id)
    waiting.delete(reply.id)
    if (reply.error === undefined) asked?.resolve(reply.result)
    else asked?.reject(new Error(reply.error))
  })

  let last = 0
  const command = async (what: string, fields: object = {}): Promise<unknown> => {
    const id = ++last
    const answered = Promise.withResolvers<unknown>()
    waiting.set(id, answered)
    child.stdin.write(`${JSON.stringify({ id, do: what, ...fields })}\n`)
    return await answered.promise
  }
  return {
    ...(await ready.promise),
    connect: async (addr) => void (await command('connect', { addr })),
    table: async () => (await command('table')) as string[],
    find: async (key) => (await command('find', { key })) as GoProvider[],
    stored: async (key) => (await command('stored', { key })) as GoProvider[],
    provide: async (key) => void (await command('provide', { key })),
    get: async (key) => Buffer.from((await command('get', { key: text(key) })) as string, 'base64'),
    put: async (key, value) => void (await command('put', { key: text(key), value: base64(value) })),
    putTo: async (addr, key, value) =>
      (await command('putTo', { addr, key: text(key), value: base64(value) })) as boolean,
    provideTo: async (addr, key, count) => (await command('provideTo', { addr, key, count })) as boolean,
    misbehave: async (how, count = 0) => void (await command('misbehave', { how, count }))
  }
}

function text(key: Uint8Array): string {
  return new TextDecoder().decode(key)
}

function base64(value: Uint8Array): string {
  return Buffer.from(value).toString('base64')
}
