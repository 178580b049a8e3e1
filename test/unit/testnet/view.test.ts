import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'

import { expect, test } from 'vitest'

import type { NodeRow } from '../../../scripts/testnet/malicious/verdict.ts'
import { HumanMaliciousView } from '../../../scripts/testnet/malicious/view.ts'

test.each([
  [Number.POSITIVE_INFINITY, '1 in 10^12'],
  [Math.exp(500), '1 in 10^12'],
  [200, '1 in 200'],
  [1e-9, '-']
])('the table of a testnet shows the evidence %d as a chance that people can use', async (evidence, shown) => {
  const out = new PassThrough()
  const standing = { standing: 'probationary', auditedTokens: 90, reliability: 0.9, reasons: [], evidence } as const
  const row = { name: 'node-1', malicious: false, requests: 3, share: 0.5, view: standing } as unknown as NodeRow
  const verdict = { requests: 10, honest: 10, of: 10, honestQuarantined: [] }
  new HumanMaliciousView(out as unknown as NodeJS.WriteStream).outcome({
    rows: [row],
    verdict,
    proofs: [],
    bannedAfter: undefined,
    foundAfterAudits: undefined,
    passed: undefined
  } as unknown as Parameters<HumanMaliciousView['outcome']>[0])
  out.end()
  const line = (await text(out)).split('\n').find((one) => one.startsWith('node-1'))
  expect(line?.split(/ {2,}/).slice(0, 4)).toEqual(['node-1', 'probationary', shown, '90 tokens'])
})
