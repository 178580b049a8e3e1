/**
 * `potluck serve crumb` as a user starts it, with its page, and 50 other nodes that are connected to it. Nobody asks
 * for an answer. The node finds the compiled code of an earlier start. The benchmark reports what the two processes of
 * the node take: memory, connections, bytes and processor time. Linux only.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { readStatus } from '../../node/index.ts'
import { Running } from '../e2e/cli/command.ts'
import { childrenOf, usageOf, type ProcessUsage } from './idle/process-usage.ts'
import { median } from './report.ts'
import type { BenchContext } from './report.ts'

const MINUTES = 60
const PEERS = 50
/** The other nodes share this many processes. */
const PROCESSES = 2
const SAMPLE_MS = 60_000

interface Sample {
  daemon: ProcessUsage
  engine: ProcessUsage
  connections: number
}

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const [minutes, peers] = [Number(args[0] ?? MINUTES), Number(args[1] ?? PEERS)]
  if (!(minutes > 0 && peers > 0)) throw new Error('Usage: idle [MINUTES] [PEERS]')
  const home = await mkdtemp(join(tmpdir(), 'potluck-idle-'))
  const data = join(home, 'data')
  const serve = ['serve', 'crumb', '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns', '--port', '0', '--data-dir', data]
  const node = new Running(serve, { home, env: { POTLUCK_PAGE: 'true', XDG_CACHE_HOME: join(homedir(), '.cache') } })
  const others: ChildProcess[] = []
  try {
    const [address] = (await node.line('ready')).addresses as string[]
    const daemon = node.child.pid!
    const [engine] = await childrenOf(daemon)
    const sample = async (): Promise<Sample> => ({
      daemon: await usageOf(daemon),
      engine: await usageOf(engine!),
      connections: (await readStatus(join(data, 'node'), signal)).connections
    })
    const alone = await sample()
    for (let index = 0; index < PROCESSES; index++) {
      const count = Math.floor((peers + index) / PROCESSES)
      others.push(fork(fileURLToPath(new URL('idle/peers.ts', import.meta.url)), [String(count), address!]))
    }
    await Promise.all(others.map(async (other) => await once(other, 'message', { signal })))
    const first = await sample()
    note(`${peers} nodes have joined: ${describe(first)}`)
    const samples: Sample[] = []
    const began = performance.now()
    while (performance.now() - began < minutes * 60_000) {
      await sleep(Math.min(SAMPLE_MS, minutes * 60_000), undefined, { signal })
      const next = await sample()
      samples.push(next)
      note(describe(next))
    }
    const seconds = (performance.now() - began) / 1000
    const last = samples.at(-1)!
    const row = { case: `${peers} peers, ${minutes} min`, n: samples.length }
    const connections = samples.map((each) => each.connections)
    report({ ...row, metric: 'connections_p50', unit: '', value: median(connections) })
    report({ ...row, metric: 'rss_alone', unit: 'MB', value: alone.daemon.rssBytes / 1e6 })
    for (const name of ['daemon', 'engine'] as const) {
      const [from, to] = [first[name], last[name]]
      const most = Math.max(...samples.map((each) => each[name].rssBytes))
      report({ ...row, metric: `${name}_rss_max`, unit: 'MB', value: most / 1e6 })
      report({ ...row, metric: `${name}_rss_end`, unit: 'MB', value: to.rssBytes / 1e6 })
      const cpu = (to.cpuSeconds - from.cpuSeconds) / seconds
      report({ ...row, metric: `${name}_cpu`, unit: '% of a core', value: 100 * cpu })
      report({ ...row, metric: `${name}_read`, unit: 'B/s', value: (to.readBytes - from.readBytes) / seconds })
      report({ ...row, metric: `${name}_written`, unit: 'B/s', value: (to.writtenBytes - from.writtenBytes) / seconds })
    }
  } finally {
    for (const other of others) other.kill('SIGKILL')
    await node.stop()
    await rm(home, { recursive: true, force: true })
  }
}

function describe({ daemon, engine, connections }: Sample): string {
  const [memory, cpu] = [(daemon.rssBytes / 1e6).toFixed(0), daemon.cpuSeconds.toFixed(2)]
  return `${connections} connections; daemon ${memory} MB, ${cpu} s of processor time; engine ${(engine.rssBytes / 1e6).toFixed(0)} MB`
}
