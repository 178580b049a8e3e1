/**
 * All attacks at once, for minutes: a relay and three nodes in their own processes, two honest clients in this process,
 * and an attacker in another process. The rates of the attacker are bounded, because all share the machine.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { createClient, type Client } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'

import { startFleet, type Fleet, type Member } from '../../../scripts/testnet/fleet.ts'
import type { NodeSpec } from '../../../scripts/testnet/messages.ts'
import type { Attack, AttackContext, Outcome } from '../attack.ts'
import type { SiegeTarget } from './assaults.ts'

const ATTACKER = fileURLToPath(new URL('attacker.ts', import.meta.url))
const NODES = 3
const CLIENTS = 2
const ANSWER_TOKENS = 32
/** Between two requests of an honest client. */
const PAUSE_MS = 500
const SAMPLE_MS = 5_000
/** The memory of a process settles in this time. */
const SETTLE_MS = 60_000
const PROGRESS_SAMPLES = 12

interface Honest {
  answered: number
  failed: Map<string, number>
}

/** @param minutes how long the attacks last */
export function siegeOf(minutes: number): Attack {
  return {
    title: `all attacks at once for ${minutes} minutes, on a relay and three nodes with two honest clients`,
    cost: 'one process, bounded rates',
    before: 'not measured',
    run: async (context) => await siege(minutes, context)
  }
}

async function siege(minutes: number, { signal, note }: AttackContext): Promise<Outcome[]> {
  const nodes: NodeSpec[] = Array.from({ length: NODES }, (_, index) => ({
    name: `node-${index + 1}`,
    role: 'node',
    crumb: 'Q8_0',
    slots: 2,
    scripted: true
  }))
  const fleet = await startFleet({ nodes, signal })
  const ended = new AbortController()
  const until = AbortSignal.any([signal, ended.signal])
  const target: SiegeTarget = { relay: fleet.relay.addresses, nodes: fleet.nodes.map(({ addresses }) => addresses) }
  const attacker = fork(ATTACKER, [JSON.stringify(target)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const honest: Honest = { answered: 0, failed: new Map() }
  const clients: Client[] = []
  const timer = setTimeout(() => ended.abort(), minutes * 60_000)
  try {
    for (let count = 0; count < CLIENTS; count++) {
      clients.push(await createClient({ bootstrap: fleet.relay.addresses, scope: 'local', mdns: false }))
    }
    const members = [fleet.relay, ...fleet.nodes]
    const [memory] = await Promise.all([
      watchMemory(members, until, (text) => note(`${text}, ${describe(honest)}`)),
      ...clients.map(async (client) => await ask(client, honest, until))
    ])
    signal.throwIfAborted()
    const failed = [...honest.failed.values()].reduce((sum, count) => sum + count, 0)
    for (const [reason, count] of honest.failed) note(`${count} requests failed: ${reason}`)
    return [
      {
        metric: 'honest requests answered, %',
        value: (100 * honest.answered) / (honest.answered + failed),
        limit: { atLeast: 99 }
      },
      ...members.map(({ name }) => ({
        metric: `largest memory of ${name} after the first minute, relative to its memory then`,
        value: memory.get(name) ?? NaN,
        limit: { atMost: 2 }
      }))
    ]
  } finally {
    clearTimeout(timer)
    await stopAll(fleet, clients, attacker)
  }
}

async function ask(client: Client, honest: Honest, until: AbortSignal): Promise<void> {
  for (let count = 0; !until.aborted; count++) {
    try {
      const messages = [{ role: 'user' as const, content: `Question ${count}` }]
      await client.chat({ messages, maxTokens: ANSWER_TOKENS }).result()
      honest.answered++
    } catch (error) {
      if (!(error instanceof PotluckError)) throw error
      const reason = `${error.code}: ${error.message}`
      honest.failed.set(reason, (honest.failed.get(reason) ?? 0) + 1)
    }
    await sleep(PAUSE_MS, undefined, { signal: until }).catch(() => undefined)
  }
}

/** Returns for each member its largest memory after `SETTLE_MS`, relative to its memory at that time. */
async function watchMemory(
  members: readonly Member[],
  until: AbortSignal,
  progress: (text: string) => void
): Promise<Map<string, number>> {
  const startedAt = performance.now()
  const settled = new Map<string, number>()
  const largest = new Map<string, number>()
  for (let samples = 1; !until.aborted; samples++) {
    await sleep(SAMPLE_MS, undefined, { signal: until }).catch(() => undefined)
    const megabytes: string[] = []
    for (const member of members) {
      const { rssBytes } = await member.usage()
      megabytes.push(`${member.name} ${(rssBytes / 1e6).toFixed(0)} MB`)
      if (performance.now() - startedAt < SETTLE_MS) settled.set(member.name, rssBytes)
      largest.set(
        member.name,
        Math.max(largest.get(member.name) ?? 0, rssBytes / (settled.get(member.name) ?? rssBytes))
      )
    }
    if (samples % PROGRESS_SAMPLES === 0) progress(megabytes.join(', '))
  }
  return largest
}

function describe({ answered, failed }: Honest): string {
  return `${answered} answers, ${[...failed.values()].reduce((sum, count) => sum + count, 0)} failures`
}

async function stopAll(fleet: Fleet, clients: readonly Client[], attacker: ReturnType<typeof fork>): Promise<void> {
  const exited = attacker.exitCode === null ? once(attacker, 'exit') : undefined
  attacker.kill('SIGKILL')
  await exited
  await Promise.all(clients.map(async (client) => await client.stop()))
  await fleet.stop()
}
