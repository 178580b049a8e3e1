/**
 * A node that computes on Vulkan beside one that computes on a processor. The device is Mesa's llvmpipe, which runs
 * llama.cpp's Vulkan kernels on the processor: `.ci/vulkan` unpacks it into `.cache/vulkan`. Without it, these tests
 * are skipped.
 */
import { globSync, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { auditorOf, createClient, NO_EVIDENCE, verdict, withAudit } from '@potluck/client'
import { auditAnswer, distancesOf, openReceipt, windowsOf } from '@potluck/protocol'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { startLlamaEngine, type Engine } from '../../../node/engine/index.ts'
import { crumb } from '../../../node/models/crumb.ts'
import { cutter } from '../../../scripts/testnet/malicious/engines/cutter.ts'
import { newPeer, requestFor, serve } from '../../unit/audit/records.ts'
import { event, node, relay } from './harness.ts'

const UNPACKED = fileURLToPath(new URL('../../../.cache/vulkan/', import.meta.url))

/** The environment in which llama.cpp finds the drivers. Undefined: there are none. */
function driverEnvironment(): Record<string, string> | undefined {
  if (existsSync(`${UNPACKED}icd.json`)) {
    return {
      VK_ICD_FILENAMES: `${UNPACKED}icd.json`,
      LD_LIBRARY_PATH: globSync(`${UNPACKED}usr/lib/*-linux-gnu`).join(':')
    }
  }
  return globSync('/usr/share/vulkan/icd.d/lvp_icd*.json').length > 0 ? {} : undefined
}

/** Starts an engine, whose process inherits the environment. */
async function withEnvironment<T>(changes: Record<string, string>, start: () => Promise<T>): Promise<T> {
  const before = { ...process.env }
  Object.assign(process.env, changes)
  try {
    return await start()
  } finally {
    process.env = before
  }
}

const environment = driverEnvironment()
if (environment === undefined) process.stderr.write('No software Vulkan device: run .ci/vulkan to test with one.\n')

describe.skipIf(environment === undefined)('a node on Vulkan', () => {
  let vulkan: Engine
  let cpu: Engine

  beforeAll(async () => {
    const options = { modelPath: crumb.Q8_0.path, slots: 2, remember: 0, threads: 1, logger: pino({ level: 'silent' }) }
    cpu = await startLlamaEngine({ ...options, gpu: false })
    vulkan = await withEnvironment({ ...environment, GGML_VK_VISIBLE_DEVICES: '0' }, () => startLlamaEngine(options))
  })

  afterAll(async () => {
    await Promise.all([cpu, vulkan].map(async (engine) => await engine.close()))
  })

  test('without a device, the drivers change nothing: the processor computes as on a machine without them', async () => {
    const options = { modelPath: crumb.Q8_0.path, slots: 1, remember: 0, threads: 1, logger: pino({ level: 'silent' }) }
    // llama.cpp ignores software devices that the user did not name.
    const engine = await withEnvironment({ ...environment }, () => startLlamaEngine(options))
    await engine.close()
    expect(engine.backend).toEqual(cpu.backend)
  })

  test('its answer has other logits than a processor, and an audit on a processor passes it by its fingerprints', async () => {
    expect(vulkan.backend).toMatchObject({ accelerator: 'vulkan', kvType: 'f16/f16' })
    const peer = await newPeer()
    const { record, text } = await serve(vulkan, peer, requestFor(vulkan, { maxTokens: 64 }))
    expect(text).not.toBe('')
    const audit = await auditAnswer(record, peer.peerId, cpu)
    expect(audit).toMatchObject({ comparable: true, violations: [], misstatements: [] })
    const distances = windowsOf(distancesOf(record.fingerprints, audit.fingerprints)).map(({ distance }) => distance)
    expect(distances.length).toBeGreaterThan(0)
    expect(Math.max(...distances)).toBeGreaterThan(0)
    expect(verdict(withAudit(NO_EVIDENCE, record, audit))).toBe('clear')
  })

  test('it continues the answer of a processor, says that the continuation is not exact, and passes the audit', async () => {
    const { addresses } = await relay()
    const onCpu = await node(cutter(cpu), { bootstrap: addresses() })
    await event(onCpu, 'advertised')
    const onVulkan = await node(vulkan, { bootstrap: addresses() })
    await event(onVulkan, 'advertised')
    expect(onVulkan.card().hardware).toMatchObject({ accelerator: 'vulkan', gpuLayers: expect.any(Number) })
    // The client asks its own node first, which cuts its answers in the middle.
    const client = await createClient({
      bootstrap: addresses(),
      mdns: false,
      localNode: onCpu.peerId.toString(),
      auditor: auditorOf(cpu)
    })
    try {
      const judged: unknown[] = []
      client.onJudged((one) => judged.push(one))
      const messages = [{ role: 'user' as const, content: 'Tell me a story about a fox.' }]
      const { tokens, metadata } = await client.chat({ messages, seed: 7n, maxTokens: 90 }).result()
      const [failure] = metadata.failures
      expect(metadata.failures).toEqual([
        { peerId: onCpu.peerId.toString(), code: 'stream_cut', tokens: expect.any(Number) }
      ])
      expect(failure?.tokens).toBeGreaterThan(0)
      expect(tokens.length).toBeGreaterThan(failure!.tokens + 16)
      expect(metadata).toMatchObject({ peerId: onVulkan.peerId.toString(), continuation: 'same_model' })
      const receipt = await openReceipt(metadata.receipt, { peerId: onVulkan.peerId })
      expect(receipt).toMatchObject({ firstPosition: failure!.tokens, backend: { accelerator: 'vulkan' } })
      await client.audited()
      expect(judged).toEqual([
        expect.objectContaining({
          peerId: metadata.peerId,
          tokens: tokens.length - failure!.tokens,
          after: 'probationary'
        })
      ])
      const view = client.standing().find(({ peerId }) => peerId === metadata.peerId)
      expect(view?.evidence).toBeLessThan(1)
    } finally {
      await client.stop()
    }
  })
})
