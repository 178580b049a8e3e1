/** Tests what the command says about a file that is not a whole GGUF model. */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { crumb } from '../../../node/models/crumb.ts'
import { potluck } from './command.ts'

let home: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'potluck-file-'))
})

afterAll(async () => await rm(home, { recursive: true, force: true }))

test.each([
  ['truncated', 3_000_000, 'the file ends after 3 MB of 4.18 MB. Download the file again.'],
  ['truncated in the tensors’ list', 200_000, 'the file ends after'],
  ['truncated in the header', 20, 'the file ends in its header. Download the file again.'],
  ['empty', 0, 'the file is empty. Download the file again.']
])('serve says what is wrong with a file that is %s', async (_, length, says) => {
  await expectRefusal((await readFile(crumb.Q8_0.path)).subarray(0, length), says)
})

test.each([
  ['random', Buffer.from('\u0007random bytes of no kind'), 'the file is not a GGUF file. Give a model in the GGUF'],
  ['a web page', Buffer.from('<!DOCTYPE html><title>404</title>'), 'the file is a web page.'],
  ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\noid'), 'Git LFS pointer'],
  ['safetensors', Buffer.from('\u0010\0\0\0\0\0\0\0{"a":{}}'), 'a safetensors model'],
  [
    'GGUF with a damaged header',
    Buffer.from(`GGUF\u0003\0\0\0${'\u00ff'.repeat(90)}`, 'latin1'),
    'the header is damaged'
  ]
])('serve says what is wrong with a file that is %s', async (_, content, says) => {
  await expectRefusal(content, says)
})

test('serve says before it hashes or loads a model that it does not fit into memory', async () => {
  const bytes = await readFile(crumb.Q8_0.path)
  const name = 'blk.0.ffn_up.weight'
  // After the name come the number of dimensions (4 bytes) and the dimensions (8 bytes each).
  bytes.writeBigUInt64LE(2n ** 32n, bytes.indexOf(name) + name.length + 4 + 8)
  const path = join(home, 'huge.gguf')
  await writeFile(path, bytes)
  // The file is as long as its header says, and takes no disk.
  await truncate(path, 2 * 2 ** 40)
  const { code, stderr } = await potluck(['serve', '--no-mdns', '--model', path], { home })
  expect(code).toBe(1)
  const last = stderr.trim().split('\n').at(-1)
  expect(last).toMatch(
    /Cannot load .*huge\.gguf: it takes [\d.]+ TB of memory, and [\d.]+ GB is free\. Choose a smaller/
  )
})

async function expectRefusal(content: Uint8Array, says: string): Promise<void> {
  const path = join(home, 'model.gguf')
  await writeFile(path, content)
  const { code, stderr } = await potluck(['serve', '--no-mdns', '--model', path], { home })
  expect(code).toBe(1)
  const last = stderr.trim().split('\n').at(-1)
  expect(last).toContain(`potluck: Cannot load ${path}: `)
  expect(last).toContain(says)
  expect(last).not.toContain('another node')
}
