/**
 * One honest peer of a siege, in a process of its own, so that its memory is only its own. Its argument is a `Role` as
 * JSON. It answers each message of its parent with its memory after a garbage collection.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { PotluckError } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { AttackedNetwork } from '../network.ts'

export type Role =
  | { kind: 'relay'; listen: string[] }
  | { kind: 'node'; listen: string[]; bootstrap: readonly string[] }
  | { kind: 'client'; bootstrap: readonly string[] }

/** After its start, a relay or a node sends its addresses. A client reports each request. */
export type FromVictim = { addresses: string[] } | { memory: Memory } | { answered: true } | { failed: string }

/** Bytes, after a garbage collection. */
export interface Memory {
  /** Objects and buffers that are still in use. */
  used: number
  /** Of the whole process, with what the collector has not given back. */
  resident: number
}

const ANSWER_TOKENS = 32
/** A token of the scripted engines. */
const TOKEN_MS = 10
/** Between two requests of a client. */
const PAUSE_MS = 300

async function start(role: Role, network: AttackedNetwork): Promise<void> {
  if (role.kind === 'client') {
    void ask(role, network)
    return
  }
  const { addresses } =
    role.kind === 'relay'
      ? await network.relay({ listen: role.listen, scope: 'public' })
      : await network.node({ ...role, announce: role.listen, scope: 'public' }, pacedEngine())
  send({ addresses: addresses().filter((address) => address.startsWith('/ip4/5.')) })
}

function pacedEngine(): ScriptedEngine {
  return new ScriptedEngine({
    slots: 2,
    before: async ({ kind }, until) => {
      if (kind === 'token') await sleep(TOKEN_MS, undefined, { signal: until })
    }
  })
}

/** Asks one question after the other, until the process ends. */
async function ask({ bootstrap }: Extract<Role, { kind: 'client' }>, network: AttackedNetwork): Promise<never> {
  const client = await network.client({ bootstrap: [...bootstrap], scope: 'public' })
  for (let count = 0; ; count++) {
    const messages = [{ role: 'user' as const, content: `Question ${count}` }]
    const failed = await client
      .chat({ messages, maxTokens: ANSWER_TOKENS })
      .result()
      .then(() => undefined, describe)
    send(failed === undefined ? { answered: true } : { failed })
    await sleep(PAUSE_MS)
  }
}

function describe(error: unknown): string {
  if (error instanceof PotluckError) return `${error.code}: ${error.message}`
  throw error
}

function memory(): Memory {
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { used: heapUsed + external, resident: rss }
}

function send(message: FromVictim): void {
  process.send?.(message)
}

process.on('disconnect', () => process.exit(0))
process.on('message', () => send({ memory: memory() }))
await start(JSON.parse(process.argv[2] ?? '') as Role, new AttackedNetwork())
