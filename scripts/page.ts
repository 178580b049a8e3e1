/**
 * Bundles the web page of `client/web` into `client/gateway/web`, from where the gateway serves it. `npm ci` and
 * `npm run build` run this script.
 */
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SOURCE = join(ROOT, 'client', 'web')
const TARGET = join(ROOT, 'client', 'gateway', 'web')

/** Of all files together, compressed. A page over a slow connection loads this in about a second. */
const MAX_GZIPPED = 120_000

/** @throws Error if the page became too large */
export async function buildPage(): Promise<void> {
  rmSync(TARGET, { recursive: true, force: true })
  mkdirSync(TARGET, { recursive: true })
  copyFileSync(join(SOURCE, 'index.html'), join(TARGET, 'index.html'))
  // base.css has the variables, and its rules come first.
  const styles = [
    'base.css',
    ...globSync('*.css', { cwd: join(SOURCE, 'style') }).filter((name) => name !== 'base.css')
  ]
  const css = styles.map((name) => readFileSync(join(SOURCE, 'style', name), 'utf8')).join('')
  writeFileSync(join(TARGET, 'app.css'), css.replace(/\/\*.*?\*\//gs, '').replace(/\s+/g, ' '))
  const bundle = await rolldown({ input: join(SOURCE, 'main.tsx'), platform: 'browser' })
  await bundle.write({ file: join(TARGET, 'app.js'), format: 'esm', minify: true })
  await bundle.close()
  const { total } = pageSize()
  if (total > MAX_GZIPPED) throw new Error(`The page has ${total} bytes gzipped. The limit is ${MAX_GZIPPED}.`)
}

/** Gzipped bytes of each file of the built page, and of all together. */
export function pageSize(): { files: Record<string, number>; total: number } {
  const entries = globSync('*', { cwd: TARGET }).map(
    (name) => [name, gzipSync(readFileSync(join(TARGET, name)), { level: 9 }).length] as const
  )
  return { files: Object.fromEntries(entries), total: entries.reduce((sum, [, size]) => sum + size, 0) }
}

if (import.meta.main) {
  await buildPage()
  const { files, total } = pageSize()
  const parts = Object.entries(files).map(([name, size]) => `${name} ${(size / 1000).toFixed(1)}`)
  console.log(`The page has ${(total / 1000).toFixed(1)} kB gzipped: ${parts.join(', ')}.`)
}
