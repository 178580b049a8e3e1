/**
 * Runs the packages as npm would publish them. The script copies the built packages to the places where npm installs
 * them, bundles the client for a browser, serves crumb, requests an answer through the client and through the gateway,
 * and opens the page of the gateway. Node refuses TypeScript under node_modules, so the packages cannot use the source
 * by mistake. `npm run check` runs this script.
 */
import { execFileSync, spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { PACKAGES } from './build.ts'
import { bundleForBrowser, checkClientDependencies } from './client-package.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Inside the repository, so that Node finds other packages in the repository's node_modules. */
const PACKED = join(ROOT, '.cache', 'packed')
const INSTALLED = join(PACKED, 'node_modules', '@potluck')
const POTLUCK = join(INSTALLED, 'node', 'bin', 'potluck.js')

checkClientDependencies()
const data = mkdtempSync(join(tmpdir(), 'potluck-packed-'))
for (const directory of PACKAGES) {
  const target = join(INSTALLED, basename(directory))
  rmSync(target, { recursive: true, force: true })
  cpSync(join(ROOT, directory, 'dist'), target, { recursive: true })
  // Versions of dependencies that differ from the versions at the root.
  const own = join(ROOT, directory, 'node_modules')
  if (existsSync(own)) symlinkSync(own, join(target, 'node_modules'))
}
await bundleForBrowser(PACKED)

const common = ['--json', '--no-mdns', '--data-dir', data]
const running: ChildProcess[] = []
try {
  const model = join(INSTALLED, 'node', 'models', 'crumb-Q8_0.gguf')
  const node = start('serve', '--listen', '/ip4/127.0.0.1/tcp/0', '--model', model)
  await ready(node)
  const answer = execFileSync(process.execPath, [POTLUCK, 'run', ...common, 'What colour is the sky?']).toString()
  if (!answer.includes('"type":"finish"')) throw new Error(`The packed client got no complete answer:\n${answer}`)

  const gateway = start('gateway', '--port', '0')
  const { baseUrl } = await ready(gateway)
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'What colour is the sky?' }] })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body })
  const text = await response.text()
  if (!response.ok) throw new Error(`The packed gateway answered ${response.status}:\n${text}`)

  const root = new URL('/', baseUrl)
  const page = await (await fetch(root, { headers: { accept: 'text/html' } })).text()
  const [, script] = /src="([^"]+)"/.exec(page) ?? []
  if (script === undefined || !(await fetch(new URL(script, root))).ok)
    throw new Error(`The packed gateway has no page:\n${page}`)

  for (const [name, child] of Object.entries({ gateway, node })) {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    const [code] = await exit
    if (code !== 0) throw new Error(`The packed ${name} exited with code ${code}.`)
  }
} finally {
  for (const child of running) child.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true })
}

function start(command: string, ...options: string[]): ChildProcessByStdio<null, Readable, null> {
  const child = spawn(process.execPath, [POTLUCK, command, ...common, ...options], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  running.push(child)
  return child
}

/** Resolves with the line that a command prints when it is ready. */
async function ready({ stdout }: { stdout: Readable }): Promise<{ type: string; baseUrl?: string }> {
  for await (const line of createInterface({ input: stdout })) {
    const event = JSON.parse(line) as { type: string; baseUrl?: string }
    if (event.type === 'ready') return event
  }
  throw new Error('A packed command ended before it was ready.')
}
