/**
 * All attacks at once: a relay, three nodes and two honest clients in this process, and attackers in another one, in a
 * network namespace with public addresses. The rates of the attackers are bounded, because all share the machine.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import type { Client } from '@potluck/client'
import { PotluckError } from '@potluck/protocol'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { onInternet } from '../internet.ts'
import { AttackedNetwork } from '../network.ts'
import { ASSAULTS, type FromAttacker, type SiegeTarget } from '../siege/assaults.ts'

const ATTACKER = fileURLToPath(new URL('../siege/attacker.ts', import.meta.url))
const SHORT_SECONDS = 15
/**
 * Honest requests that must be answered, %. In the short form, nearly all requests are those of new clients, which meet the
 * malicious nodes first.
 */
const LEAST = 99
const LEAST_SHORT = 60
const RELAY = '5.9.0.1'
const NODES = ['5.9.1.1', '5.9.2.1', '5.9.3.1']
const CLIENTS = 2
const ANSWER_TOKENS = 32
/** A token of the scripted engines. */
const TOKEN_MS = 10
/** Between two requests of an honest client. */
const PAUSE_MS = 300
const SAMPLE_MS = 1_000
/** By then the memory of this process has settled. */
const SETTLED_AFTER = 0.2
const PROGRESS_SAMPLES = 60

interface Honest {
  answered: number
  failed: Map<string, number>
}

export const attack: Attack = {
  title: 'all attacks at once, on a relay and three nodes with two honest clients',
  cost: 'one process, 6 subnets, a new key each second',
  before: 'not measured',

  ...onInternet('siege', async ({ short, minutes, signal, note }, internet) => {
    const lastsMs = short ? SHORT_SECONDS * 1_000 : minutes * 60_000
    await using network = new AttackedNetwork()
    const at = (host: string): string[] => [`/ip4/${internet.host(host)}/tcp/4001`]
    const relay = await network.relay({ listen: at(RELAY), scope: 'public' })
    const bootstrap = publicOf(relay.addresses())
    const nodes: string[][] = []
    for (const host of NODES) {
      const engine = new ScriptedEngine({
        slots: 2,
        before: async ({ kind }, until) => {
          if (kind === 'token') await sleep(TOKEN_MS, undefined, { signal: until })
        }
      })
      const node = await network.node({ listen: at(host), announce: at(host), scope: 'public', bootstrap }, engine)
      nodes.push(publicOf(node.addresses()))
    }
    const target: SiegeTarget = { relay: bootstrap, nodes, model: new ScriptedEngine().model.name }
    const attackers = fork(ATTACKER, [JSON.stringify(target)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const until = AbortSignal.any([signal, AbortSignal.timeout(lastsMs)])
    const honest: Honest = { answered: 0, failed: new Map() }
    const rounds = new Map<string, number>()
    try {
      const malicious = await new Promise<string[]>((resolve) => {
        attackers.on('message', (message: FromAttacker) => {
          if ('malicious' in message) resolve(message.malicious)
          else rounds.set(message.round, (rounds.get(message.round) ?? 0) + 1)
        })
      })
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, async () =>
          network.client({ bootstrap: [...bootstrap, ...malicious], scope: 'public' })
        )
      )
      const progress = (text: string): void => note(`${text}, ${describe(honest)}`)
      const [growth] = await Promise.all([
        watchMemory(lastsMs, until, progress),
        ...clients.map(async (client) => await ask(client, honest, until))
      ])
      signal.throwIfAborted()
      for (const [reason, count] of honest.failed) note(`${count} requests failed: ${reason}`)
      for (const [name, count] of rounds) note(`${count} rounds of ${name}`)
      const asked = honest.answered + failures(honest)
      const names = Object.keys(ASSAULTS)
      return [
        {
          metric: `attacks of ${names.length} that were played`,
          value: names.filter((name) => rounds.has(name)).length,
          limit: { atLeast: names.length }
        },
        {
          metric: 'honest requests answered, %',
          value: (100 * honest.answered) / asked,
          limit: { atLeast: short ? LEAST_SHORT : LEAST }
        },
        {
          metric: 'largest memory of relay, nodes and clients, relative to that after a fifth of the time',
          value: growth,
          limit: { atMost: 2 }
        }
      ]
    } finally {
      await end(attackers)
    }
  })
}

function publicOf(addresses: readonly string[]): string[] {
  return addresses.filter((address) => address.startsWith('/ip4/5.'))
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

/** Returns the largest memory after `SETTLED_AFTER` of the time, relative to the memory at that time. */
async function watchMemory(lastsMs: number, until: AbortSignal, progress: (text: string) => void): Promise<number> {
  const startedAt = performance.now()
  let settled = 0
  let largest = 0
  for (let samples = 1; !until.aborted; samples++) {
    await sleep(SAMPLE_MS, undefined, { signal: until }).catch(() => undefined)
    const bytes = process.memoryUsage.rss()
    if (performance.now() - startedAt < SETTLED_AFTER * lastsMs) settled = bytes
    largest = Math.max(largest, bytes)
    if (samples % PROGRESS_SAMPLES === 0) progress(`${(bytes / 1e6).toFixed(0)} MB`)
  }
  return largest / settled
}

function failures({ failed }: Honest): number {
  return [...failed.values()].reduce((sum, count) => sum + count, 0)
}

function describe(honest: Honest): string {
  return `${honest.answered} answers, ${failures(honest)} failures`
}

async function end(attackers: ChildProcess): Promise<void> {
  if (attackers.exitCode !== null) return
  const exited = once(attackers, 'exit')
  attackers.kill('SIGKILL')
  await exited
}
