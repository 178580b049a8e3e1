/** Tests `npm run testnet -- --malicious` with few requests: what the client learns about the nodes. */
import { readFileSync } from 'node:fs'
import { checkProof } from '@potluck/client'
import pino from 'pino'
import { afterEach, expect, test } from 'vitest'

import { startLlamaEngine } from '../../../node/engine/index.ts'
import { crumb } from '../../../node/models/crumb.ts'
import { Run } from './run.ts'

let run: Run | undefined

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${run?.output}\n`)
  run?.cleanUp()
})

test(
  'the client bans the noise node with a proof that others can check, avoids the cutter, and keeps the honest nodes',
  {
    timeout: 300_000
  },
  async () => {
    run = new Run('--malicious', '--requests', '18', '--json')
    expect(await run.exit, run.output).toEqual([0, null])

    const answered = run.of('request')
    expect(answered).toHaveLength(18)
    expect(answered.filter(({ failure }) => failure !== undefined)).toEqual([])
    const nodes = new Map(run.of('node').map((node) => [node.node, node]))
    expect(nodes.get('noise')).toMatchObject({ malicious: 'noise', standing: 'banned' })
    expect(nodes.get('cutter')?.reliability).toBeLessThan(0.2)
    for (const name of ['honest-1', 'honest-2', 'honest-3', 'slow']) {
      expect(['probationary', 'established']).toContain(nodes.get(name)?.standing)
    }
    expect(run.of('outcome')).toEqual([expect.objectContaining({ requests: 18, honestQuarantined: [] })])

    const proof = run.of('proof').find(({ node }) => node === 'noise')
    expect(proof).toMatchObject({ confirmed: true })
    const engine = await startLlamaEngine({
      modelPath: crumb.Q8_0.path,
      slots: 1,
      threads: 1,
      gpu: false,
      logger: pino({ level: 'silent' })
    })
    try {
      const finding = await checkProof(readFileSync(String(proof?.file)), engine)
      expect(finding).toMatchObject({ confirmed: true, convincing: true })
      expect(finding.peerId.toString()).toBe(nodes.get('noise')?.peerId)
    } finally {
      await engine.close()
    }

    const running = run
    await expect.poll(() => running.processes(), { timeout: 20_000 }).toEqual([])
    // The run leaves only the proofs behind.
    expect(run.files().filter((file) => !/^potluck-proofs-\w+(\/[\w-]+\.proof)?$/.test(file))).toEqual([])
  }
)
