import { PotluckError } from '@potluck/protocol'
import { pino } from 'pino'
import { expect, test } from 'vitest'

import { AbuseLog } from '../../../node/admission/abuse-log.ts'
import { AdmissionControl, type AdmissionOptions } from '../../../node/admission/admission.ts'
import type { Caller } from '../../../node/admission/caller.ts'
import { RateLimit } from '../../../node/admission/rate-limit.ts'

const noop = (): void => {}
/** A caller in a subnet of its own, unless the test names one. */
const caller = (peer: string, subnet = peer): Caller => ({ peer, path: [subnet, subnet, peer] })

function admissionControl(options: Partial<AdmissionOptions> = {}): AdmissionControl {
  return new AdmissionControl({
    streamsPerPeer: 4,
    unreadStreams: 8,
    failedRequestBurst: 3,
    failedRequestsPerSecond: 1,
    rememberedPeers: 100,
    now: () => 0,
    ...options
  })
}

function refusal(act: () => unknown): PotluckError {
  try {
    act()
  } catch (error) {
    if (error instanceof PotluckError) return error
  }
  throw new Error('nothing was refused')
}

test('the number of streams is limited for each peer separately', () => {
  const admission = admissionControl()
  const streams = Array.from({ length: 4 }, () => admission.admit(caller('a'), noop))
  const error = refusal(() => admission.admit(caller('a'), noop))
  expect(error.code).toBe('rate_limited')
  expect(error.message).toContain('4 requests at once')
  admission.admit(caller('b'), noop)
  streams[0]?.release({ strike: false })
  admission.admit(caller('a'), noop)
  expect(admission.openStreams).toBe(5)
})

test('a stream that is released twice counts once', () => {
  const admission = admissionControl()
  const [first] = [admission.admit(caller('a'), noop), admission.admit(caller('a'), noop)]
  first.release({ strike: false })
  first.release({ strike: true })
  expect(admission.openStreams).toBe(1)
})

test('with too many unread streams, the oldest is reset', () => {
  const admission = admissionControl({ streamsPerPeer: 100 })
  const reset: string[] = []
  const first = admission.admit(caller('a'), () => reset.push('first'))
  first.requestArrived()
  for (let stream = 0; stream < 8; stream++) admission.admit(caller('b'), () => reset.push(`unread ${stream}`))
  expect(reset).toEqual([])
  admission.admit(caller('c'), noop)
  admission.admit(caller('c'), noop)
  expect(reset).toEqual(['unread 0', 'unread 1'])
})

test('a flood of unread streams from one subnet resets only its own', () => {
  const admission = admissionControl()
  const reset: string[] = []
  admission.admit(caller('a'), () => reset.push('a'))
  for (let key = 0; key < 20; key++) admission.admit(caller(`key ${key}`, 'flood'), () => reset.push('flood'))
  admission.admit(caller('b'), () => reset.push('b'))
  expect(reset).toEqual(Array.from({ length: 14 }, () => 'flood'))
})

test('a peer with too many failed requests is refused, with the time to retry', () => {
  let now = 0
  const admission = admissionControl({ now: () => now })
  for (let failure = 0; failure < 3; failure++) admission.admit(caller('a'), noop).release({ strike: true })
  expect(refusal(() => admission.admit(caller('a'), noop)).retryAfterMs).toBe(1000)
  now = 2000
  admission.admit(caller('a'), noop).release({ strike: false })
  admission.admit(caller('a'), noop).release({ strike: false })
})

test('answered requests do not count against the rate limit', () => {
  const admission = admissionControl()
  for (let request = 0; request < 1000; request++) admission.admit(caller('a'), noop).release({ strike: false })
  expect(admission.openStreams).toBe(0)
})

test('the rate limit forgets the peer that failed least recently', () => {
  const limit = new RateLimit({ capacity: 1, perSecond: 1, peers: 2, now: () => 0 })
  limit.take('a')
  limit.take('b')
  limit.take('a')
  limit.take('c')
  expect(limit.waitMs('a')).toBeGreaterThan(0)
  expect(limit.waitMs('b')).toBe(0)
  expect(limit.waitMs('c')).toBeGreaterThan(0)
})

test('the abuse log names the peer and the limit, and counts suppressed reports', () => {
  let now = 0
  const lines: Record<string, unknown>[] = []
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const abuse = new AbuseLog(logger, () => now)
  for (let report = 0; report < 50; report++) abuse.report('peer', 'rate_limited')
  abuse.report('peer', 'request_timeout')
  now = 20_000
  abuse.report('peer', 'rate_limited')
  expect(lines.map(({ peer, limit, suppressed }) => [peer, limit, suppressed])).toEqual([
    ['peer', 'rate_limited', 0],
    ['peer', 'request_timeout', 0],
    ['peer', 'rate_limited', 49]
  ])
})

test('at the default level the abuse log has no line for what happens to honest callers too', () => {
  const lines: string[] = []
  const abuse = new AbuseLog(pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }), () => 0)
  abuse.report('peer', 'context_length_exceeded')
  abuse.report('peer', 'invalid_request')
  expect(lines).toEqual([])
  abuse.report('peer', 'protocol_violation')
  expect(lines).toHaveLength(1)
})
