/**
 * `npm run lockfile`: adds missing hashes to `package-lock.json`. npm itself does not add a hash to a package that the
 * lock file already lists. The script asks the registry for each missing hash. What the registry does not have stays in
 * `scripts/check/unhashed.json`, and `npm run check lockfile` accepts no other package without a hash.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

import { findProblems } from './check/lockfile.ts'

const LOCKFILE = new URL('../package-lock.json', import.meta.url)
const UNHASHED = new URL('check/unhashed.json', import.meta.url)

/** Returns undefined if the registry does not have the package. */
function hashOf(name: string): string | undefined {
  try {
    const output = execFileSync('npm', ['view', name, 'dist.integrity'], { stdio: ['ignore', 'pipe', 'ignore'] })
    return output.toString().trim() || undefined
  } catch {
    return undefined
  }
}

const json = readFileSync(LOCKFILE, 'utf8')
const lockfile = JSON.parse(json) as { packages: Record<string, { integrity?: string }> }
const unhashed: string[] = []
for (const { path, package: name, kind } of findProblems(json)) {
  if (kind !== 'no-hash') continue
  const integrity = hashOf(name)
  if (integrity === undefined) unhashed.push(name)
  else lockfile.packages[path] = { ...lockfile.packages[path], integrity }
}
writeFileSync(LOCKFILE, `${JSON.stringify(lockfile, null, 2)}\n`)
writeFileSync(UNHASHED, `${JSON.stringify(unhashed, null, 2)}\n`)
console.log(`${unhashed.length} packages have no hash, because the registry does not have them.`)
