import { PotluckError } from '@potluck/protocol'
import { pino } from 'pino'
import { expect, test } from 'vitest'

import { AbuseLog } from '../../../node/admission/abuse.ts'
import { Door, type DoorOptions } from '../../../node/admission/door.ts'
import { Patience } from '../../../node/admission/patience.ts'

const noop = (): void => {}

function openDoor(options: Partial<DoorOptions> = {}): Door {
  return new Door({
    streamsPerPeer: 4,
    unreadStreams: 8,
    patience: 3,
    patiencePerSecond: 1,
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

test('a peer has so many streams and no more; others are not concerned', () => {
  const door = openDoor()
  const visits = Array.from({ length: 4 }, () => door.open('a', noop))
  const error = refusal(() => door.open('a', noop))
  expect(error.code).toBe('rate_limited')
  expect(error.message).toContain('4 requests at once')
  door.open('b', noop)
  visits[0]?.leave(true)
  door.open('a', noop)
  expect(door.size).toBe(5)
})

test('of too many silent streams the oldest is cut', () => {
  const door = openDoor({ streamsPerPeer: 100 })
  const cut: string[] = []
  const first = door.open('a', () => cut.push('first'))
  first.arrived()
  for (let stream = 0; stream < 8; stream++) door.open('b', () => cut.push(`silent ${stream}`))
  expect(cut).toEqual([])
  door.open('c', noop)
  door.open('c', noop)
  expect(cut).toEqual(['silent 0', 'silent 1'])
})

test('who has failed too often waits, and is told how long', () => {
  let now = 0
  const door = openDoor({ now: () => now })
  for (let failure = 0; failure < 3; failure++) door.open('a', noop).leave(false)
  expect(refusal(() => door.open('a', noop)).retryAfterMs).toBe(1000)
  now = 2000
  door.open('a', noop).leave(true)
  door.open('a', noop).leave(true)
})

test('answered requests cost no patience', () => {
  const door = openDoor()
  for (let request = 0; request < 1000; request++) door.open('a', noop).leave(true)
  expect(door.size).toBe(0)
})

test('patience is forgotten for the peer that struck least recently', () => {
  const patience = new Patience({ capacity: 1, perSecond: 1, peers: 2, now: () => 0 })
  patience.strike('a')
  patience.strike('b')
  patience.strike('a')
  patience.strike('c')
  expect(patience.waitMs('a')).toBeGreaterThan(0)
  expect(patience.waitMs('b')).toBe(0)
  expect(patience.waitMs('c')).toBeGreaterThan(0)
})

test('the abuse log names peer and limit, and counts what it leaves out', () => {
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
