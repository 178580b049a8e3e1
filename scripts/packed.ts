/**
 * Runs what would be published: the built packages, laid out as an installation lays them out, serve crumb and answer a
 * prompt. Under node_modules Node refuses TypeScript, so nothing of the source can help out. Part of `npm run check`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { PACKAGES } from './build.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Inside the repository, so that other packages are found in its node_modules. */
const INSTALLED = join(ROOT, '.cache', 'packed', 'node_modules', '@potluck')
const POTLUCK = join(INSTALLED, 'node', 'bin', 'potluck.js')

const data = mkdtempSync(join(tmpdir(), 'potluck-packed-'))
for (const directory of PACKAGES) {
  const target = join(INSTALLED, directory)
  rmSync(target, { recursive: true, force: true })
  cpSync(join(ROOT, directory, 'dist'), target, { recursive: true })
  // Versions that differ from the ones at the root.
  const own = join(ROOT, directory, 'node_modules')
  if (existsSync(own)) symlinkSync(own, join(target, 'node_modules'))
}
const common = ['--json', '--no-mdns', '--data-dir', data]
const model = join(INSTALLED, 'node', 'models', 'crumb-Q8_0.gguf')
const listen = '/ip4/127.0.0.1/tcp/0'
const node = spawn(process.execPath, [POTLUCK, 'serve', ...common, '--listen', listen, '--model', model], {
  stdio: ['ignore', 'pipe', 'inherit']
})
try {
  await ready()
  const answer = execFileSync(process.execPath, [POTLUCK, 'run', ...common, 'What colour is the sky?']).toString()
  if (!answer.includes('"type":"finish"')) throw new Error(`The packed client got no whole answer:\n${answer}`)
  const exit = once(node, 'exit')
  node.kill('SIGTERM')
  const [code] = await exit
  if (code !== 0) throw new Error(`The packed node ended with ${code}.`)
} finally {
  node.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true })
}

async function ready(): Promise<void> {
  for await (const line of createInterface({ input: node.stdout })) {
    if ((JSON.parse(line) as { type: string }).type === 'ready') return
  }
  throw new Error('The packed node ended before it was ready.')
}
