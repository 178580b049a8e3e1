/**
 * Bundles the web page of `client/web` into `client/gateway/web`, from where the gateway serves it. `npm ci` and
 * `npm run build` run this script.
 */
import { globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { rolldown } from 'rolldown'

import { WEB_DIRECTORY } from '../client/gateway/http/static.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SOURCE = join(ROOT, 'client', 'web')

/** Of all files together, compressed. A page over a slow connection loads this in about a second. */
const MAX_GZIPPED = 120_000

/** @throws Error if the page became too large */
export async function buildPage(): Promise<void> {
  mkdirSync(WEB_DIRECTORY, { recursive: true })
  write('index.html', readFileSync(join(SOURCE, 'index.html')))
  // base.css has the variables, and its rules come first.
  const styles = [
    'base.css',
    ...globSync('*.css', { cwd: join(SOURCE, 'style') })
      .filter((name) => name !== 'base.css')
      .toSorted()
  ]
  const css = styles.map((name) => readFileSync(join(SOURCE, 'style', name), 'utf8')).join('')
  write('app.css', css.replace(/\/\*.*?\*\//gs, '').replace(/\s+/g, ' '))
  const bundle = await rolldown({ input: join(SOURCE, 'main.tsx'), platform: 'browser' })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  write('app.js', output[0].code)
  const { total } = pageSize()
  if (total > MAX_GZIPPED) throw new Error(`The page has ${total} bytes gzipped. The limit is ${MAX_GZIPPED}.`)
}

/** Never leaves half a file: tests in other processes can build and read the page at the same time. */
function write(name: string, content: string | Uint8Array): void {
  const temporary = join(WEB_DIRECTORY, `${name}.${process.pid}`)
  writeFileSync(temporary, content)
  renameSync(temporary, join(WEB_DIRECTORY, name))
}

/** Gzipped bytes of each file of the built page, and of all together. */
export function pageSize(): { files: Record<string, number>; total: number } {
  const entries = ['index.html', 'app.css', 'app.js'].map(
    (name) => [name, gzipSync(readFileSync(join(WEB_DIRECTORY, name)), { level: 9 }).length] as const
  )
  return { files: Object.fromEntries(entries), total: entries.reduce((sum, [, size]) => sum + size, 0) }
}

if (import.meta.main) {
  await buildPage()
  const { files, total } = pageSize()
  const parts = Object.entries(files).map(([name, size]) => `${name} ${(size / 1000).toFixed(1)}`)
  console.log(`The page has ${(total / 1000).toFixed(1)} kB gzipped: ${parts.join(', ')}.`)
}
