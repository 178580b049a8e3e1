/** The files of the page, as a browser and other callers get them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'

import type { GatewayApp, HttpEnvironment } from '../../../client/gateway/http/context.ts'
import { webPage } from '../../../client/gateway/http/static.ts'

const BROWSER = { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } }
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'potluck-web-'))
  const files = { 'index.html': '<!doctype html>', 'app.js': 'void 0', 'app.css': 'a{}', 'notes.txt': 'not served' }
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
})

afterAll(async () => await rm(directory, { recursive: true }))

function app(from: string): GatewayApp {
  const { page, file } = webPage(from)
  const hono = new Hono<HttpEnvironment>()
  hono.get(
    '/',
    page(async (context) => context.text('Ollama is running'))
  )
  hono.get('/web/*', file)
  return hono
}

test('a browser gets the page with a strict policy, and other callers get what Ollama answers', async () => {
  const response = await app(directory).request('/', BROWSER)
  expect([response.status, await response.text()]).toEqual([200, '<!doctype html>'])
  const { headers } = response
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(headers.get('content-security-policy')).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  )
  expect([headers.get('x-content-type-options'), headers.get('vary')]).toEqual(['nosniff', 'accept'])
  expect(await (await app(directory).request('/')).text()).toBe('Ollama is running')
})

test('files have their types, and a file that did not change is not sent again', async () => {
  const script = await app(directory).request('/web/app.js')
  expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
  expect((await app(directory).request('/web/app.css')).headers.get('content-type')).toBe('text/css; charset=utf-8')
  const etag = script.headers.get('etag') ?? ''
  const again = await app(directory).request('/web/app.js', { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text(), again.headers.get('content-security-policy')]).toEqual([
    304,
    '',
    script.headers.get('content-security-policy')
  ])
})

test('no path reaches another file', async () => {
  for (const path of ['notes.txt', '../static.ts', '%2e%2e/static.ts', '..%2fstatic.ts', '', 'app.js/', '//app.js']) {
    expect([path, (await app(directory).request(`/web/${path}`)).status]).toEqual([path, 404])
  }
})

test('without built files, the gateway still starts', async () => {
  const response = await app(join(directory, 'missing')).request('/', BROWSER)
  expect(await response.text()).toBe('Ollama is running')
})
