/** Serves two real models with memory for one, as a user does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { lines, potluck, Running } from './command.ts'

const MODELS = ['potluck/crumb:Q8_0', 'potluck/crumb:Q4_0']
const OPTIONS = ['--no-mdns', '--listen', '/ip4/127.0.0.1/tcp/0', '--gpu', 'off', '--slots', '1']

let home: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'potluck-several-'))
})

afterAll(async () => await rm(home, { recursive: true, force: true }))

test('a node loads each model when it is asked for, and ps shows which one is in memory', async () => {
  const serving = new Running(['serve', 'crumb', MODELS[1]!, '--memory', '300MB', ...OPTIONS], { home })
  try {
    expect((await serving.line('ready')).models).toMatchObject(MODELS.map((name) => ({ name })))
    for (const name of MODELS) {
      const asked = await potluck(['run', '--model', name, '--max-tokens', '4', '--json', 'Hello'], { home })
      expect([asked.code, lines(asked.stdout).find(({ type }) => type === 'finish')]).toMatchObject([
        0,
        { metadata: { model: { name } } }
      ])
      const loaded = lines((await potluck(['ps', '--json'], { home })).stdout).filter(({ isLoaded }) => isLoaded)
      expect(loaded.map((model) => model.name)).toEqual([name])
    }
  } finally {
    await serving.stop()
  }
}, 120_000)

test('a model that does not fit into the memory is refused before it is loaded', async () => {
  const { code, stderr } = await potluck(['serve', 'crumb', '--memory', '100MB', ...OPTIONS], { home })
  expect(code).toBe(1)
  expect(stderr.trim()).toMatch(
    /Cannot serve potluck\/crumb:Q8_0: it takes 2\d\d MB of memory, and the models of this node may take 100 MB\. Choose/
  )
})
