/**
 * `npm run build`: compiles each package to `<package>/dist`, a directory that `npm publish` can publish unchanged.
 * In the repository everything runs from the TypeScript source. Only publishing and `packed.ts` read `dist`.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { buildPage } from './page.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The directories of the packages in the order of publishing: each package depends only on earlier ones. */
export const PACKAGES = ['protocol', 'client', 'client/gateway', 'node'] as const

/** Files beside the code that a package reads at run time. */
const ASSETS: Partial<Record<(typeof PACKAGES)[number], string>> = {
  'client/gateway': 'web/*',
  node: '{bin/*.js,models/*.{gguf,json,md}}'
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** Makes an `exports` or `bin` entry name the compiled file. An export also names its declarations. */
function compiled(entry: Json, declarations: boolean): Json {
  if (typeof entry === 'string') {
    if (!entry.endsWith('.ts')) return entry
    const base = entry.slice(0, -'.ts'.length)
    return declarations ? { types: `${base}.d.ts`, default: `${base}.js` } : `${base}.js`
  }
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) return entry
  return Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, compiled(value, declarations)]))
}

function writeManifest(directory: string): void {
  const manifest = JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8')) as Record<string, Json>
  delete manifest.devDependencies
  delete manifest.scripts
  if (manifest.exports !== undefined) manifest.exports = compiled(manifest.exports, true)
  if (manifest.bin !== undefined) manifest.bin = compiled(manifest.bin, false)
  writeFileSync(join(ROOT, directory, 'dist', 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Refuses paths that the compiler does not rewrite: `dist` has no file for `new URL('./child.ts')`. */
function refuseSourcePaths(dist: string): void {
  for (const file of globSync('**/*.js', { cwd: dist })) {
    const found = /new URL\(\s*['"`][^'"`]*\.ts['"`]/.exec(readFileSync(join(dist, file), 'utf8'))
    if (found !== null) throw new Error(`${file} loads a TypeScript file at run time: ${found[0]}`)
  }
}

export async function build(): Promise<void> {
  await buildPage()
  for (const directory of PACKAGES) {
    rmSync(join(ROOT, directory, 'dist'), { recursive: true, force: true })
    rmSync(join(ROOT, '.cache', `${basename(directory)}.tsbuildinfo`), { force: true })
  }
  execFileSync('tsc', ['--build', 'node/tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' })
  for (const directory of PACKAGES) {
    const dist = join(ROOT, directory, 'dist')
    refuseSourcePaths(dist)
    writeManifest(directory)
    cpSync(join(ROOT, 'LICENSE'), join(dist, 'LICENSE'))
    const readme = join(ROOT, directory, 'README.md')
    if (existsSync(readme)) cpSync(readme, join(dist, 'README.md'))
    const assets = ASSETS[directory]
    if (assets === undefined) continue
    for (const file of globSync(assets, { cwd: join(ROOT, directory) })) {
      cpSync(join(ROOT, directory, file), join(dist, file))
    }
  }
}

if (import.meta.main) await build()
