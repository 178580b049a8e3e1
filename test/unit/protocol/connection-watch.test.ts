/** Which connections are checked, and what happens to silent ones. Fake connections, because a check takes seconds. */
import type { Connection } from '@libp2p/interface'
import { CONNECTION_CHECK_MS, KEPT_CONNECTION_CHECK_MS, watchConnections } from '@potluck/protocol'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'

const TIMEOUT_MS = 20

interface Fake extends Pick<Connection, 'status'> {
  streams: object[]
  checks: number
  answers: boolean
}

function fake(options: { inUse?: boolean; answers?: boolean } = {}): Fake & Connection {
  const connection = {
    status: 'open',
    streams: options.inUse === true ? [{}] : [],
    answers: options.answers ?? true,
    checks: 0,
    newStream: async (_: string, { signal }: { signal: AbortSignal }) => {
      connection.checks++
      if (connection.answers) return { abort: () => undefined }
      return await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    },
    abort: () => {
      connection.status = 'aborted'
    }
  }
  return connection as unknown as Fake & Connection
}

function watched(connections: Connection[], keeps?: (connection: Connection) => boolean): void {
  const service = watchConnections({ timeoutMs: TIMEOUT_MS, ...(keeps && { keeps }) })({
    connectionManager: { getConnections: () => connections }
  })
  void service.start()
  onTestFinished(async () => await service.stop())
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
})

test('idle connections are not checked, connections in use often, and kept ones now and then', async () => {
  const [idle, busy, kept] = [fake(), fake({ inUse: true }), fake()]
  watched([idle, busy, kept], (connection) => connection === kept)
  for (let passed = 0; passed < 2 * KEPT_CONNECTION_CHECK_MS; passed += CONNECTION_CHECK_MS) {
    await vi.advanceTimersByTimeAsync(CONNECTION_CHECK_MS)
  }
  expect(idle.checks).toBe(0)
  expect(kept.checks).toBe(2)
  expect(busy.checks).toBe((2 * KEPT_CONNECTION_CHECK_MS) / CONNECTION_CHECK_MS)
})

test('a silent connection is aborted after the timeout', async () => {
  const silent = fake({ inUse: true, answers: false })
  watched([silent])
  await vi.advanceTimersByTimeAsync(CONNECTION_CHECK_MS)
  expect(silent).toMatchObject({ status: 'open', checks: 1 })
  await vi.waitUntil(() => silent.status === 'aborted')
})
