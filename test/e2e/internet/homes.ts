/**
 * Runs in separate network namespaces. Creates two home networks, starts a relay, a node and a client, and prints what
 * each of them reports.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { lines, potluck, Running, type Line } from '../cli/command.ts'

/** What `internet.test.ts` checks. */
export interface Observed {
  /** The reachability that the relay and the node report for themselves. */
  relay: unknown
  node: unknown
  /** The addresses in the node's card. */
  addresses: string[]
  /** The last line of `run --json`. */
  answer: Line | undefined
}

const PUBLIC = '5.9.0.7'
const HOMES = [1, 2]

function ip(command: string): void {
  execFileSync('ip', command.split(' '))
}

function createHomes(): void {
  // `ip netns` keeps its names in this directory.
  execFileSync('mount', ['-t', 'tmpfs', 'none', '/run'])
  ip('link set lo up')
  ip(`addr add ${PUBLIC}/32 dev lo`)
  for (const home of HOMES) {
    ip(`netns add home${home}`)
    ip(`link add cable${home} type veth peer name eth0 netns home${home}`)
    ip(`addr add 192.168.${home}.1/24 dev cable${home}`)
    ip(`link set cable${home} up`)
    for (const device of ['lo', 'eth0']) ip(`-n home${home} link set ${device} up`)
    ip(`-n home${home} addr add 192.168.${home}.10/24 dev eth0`)
    // The router has the public address and forwards nothing, so the homes cannot reach each other.
    ip(`-n home${home} route add default via 192.168.${home}.1`)
  }
}

async function observe(directory: string): Promise<Observed> {
  const relay = new Running(['relay'], { home: join(directory, 'relay') })
  const { addresses, reachability } = await relay.line('ready')
  const bootstrap = (addresses as string[]).find((address) => address.startsWith(`/ip4/${PUBLIC}/tcp/4001/`)) ?? ''
  const serve = ['serve', '--model', 'crumb', '--threads', '1', '--slots', '1', '--bootstrap', bootstrap]
  const node = new Running(serve, { home: join(directory, 'node'), namespace: 'home1' })
  const advertised = await node.line('advertised')
  const client = { home: join(directory, 'client'), namespace: 'home2' }
  const run = await potluck(['run', '--bootstrap', bootstrap, '--json', '--max-tokens', '8', 'Hello'], client)
  const nodes = await potluck(['nodes', '--bootstrap', bootstrap, '--json'], client)
  await Promise.all([node.stop(), relay.stop()])
  return {
    relay: reachability,
    node: advertised.reachability,
    addresses: lines(nodes.stdout).flatMap(({ addresses: own }) => (own as string[] | undefined) ?? []),
    answer: lines(run.stdout).at(-1)
  }
}

createHomes()
const directory = await mkdtemp(join(tmpdir(), 'potluck-homes-'))
try {
  process.stdout.write(JSON.stringify(await observe(directory)))
} finally {
  await rm(directory, { recursive: true, force: true })
}
