/** Runs in namespaces of its own: lays the cables, starts a relay, a node and a caller, and prints what was seen. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { lines, potluck, Running, type Line } from '../cli/command.ts'

/** What `internet.test.ts` looks at. */
export interface Seen {
  /** As the relay and the node describe it. */
  relay: unknown
  node: unknown
  /** Of the node's card. */
  addresses: string[]
  /** The last line of `run --json`. */
  answer: Line | undefined
}

const PUBLIC = '5.9.0.7'
const HOMES = [1, 2]

function ip(command: string): void {
  execFileSync('ip', command.split(' '))
}

function layCables(): void {
  // Where `ip netns` keeps its names.
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
    // The router answers for the public address and forwards nothing: no home reaches the other.
    ip(`-n home${home} route add default via 192.168.${home}.1`)
  }
}

async function meet(directory: string): Promise<Seen> {
  const relay = new Running(['relay'], { home: join(directory, 'relay') })
  const { addresses, reachability } = await relay.line('ready')
  const bootstrap = (addresses as string[]).find((address) => address.startsWith(`/ip4/${PUBLIC}/tcp/4001/`)) ?? ''
  const serve = ['serve', '--model', 'crumb', '--threads', '1', '--slots', '1', '--bootstrap', bootstrap]
  const node = new Running(serve, { home: join(directory, 'node'), namespace: 'home1' })
  const advertised = await node.line('advertised')
  const caller = { home: join(directory, 'caller'), namespace: 'home2' }
  const run = await potluck(['run', '--bootstrap', bootstrap, '--json', '--max-tokens', '8', 'Hello'], caller)
  const nodes = await potluck(['nodes', '--bootstrap', bootstrap, '--json'], caller)
  await Promise.all([node.stop(), relay.stop()])
  return {
    relay: reachability,
    node: advertised.reachability,
    addresses: lines(nodes.stdout).flatMap(({ addresses: own }) => (own as string[] | undefined) ?? []),
    answer: lines(run.stdout).at(-1)
  }
}

layCables()
const directory = await mkdtemp(join(tmpdir(), 'potluck-homes-'))
try {
  process.stdout.write(JSON.stringify(await meet(directory)))
} finally {
  await rm(directory, { recursive: true, force: true })
}
