/**
 * Checks what an application gets with `@potluck/client`: no server, no native code, and a bundle for browsers.
 * `packed.ts` runs it as part of `npm run check`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Packages that only the gateway and nodes may use: HTTP servers, metrics, schemas, and two packages of Potluck. */
const SERVER_PACKAGES = /^(@?hono|@?fastify|express|koa|prom-client|zod|node-llama-cpp|@potluck\/(gateway|node))(\/|$)/

interface LockedPackage {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  hasInstallScript?: boolean
}

/** @throws Error that names the package which must not be in the client's dependency tree */
export function checkClientDependencies(): void {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>
  }
  const visited = new Set<string>()
  const visit = (path: string): void => {
    if (visited.has(path)) return
    visited.add(path)
    const { dependencies, optionalDependencies, hasInstallScript } = packages[path] ?? {}
    if (hasInstallScript === true) throw new Error(`@potluck/client installs ${path}, which runs a script.`)
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (SERVER_PACKAGES.test(name)) throw new Error(`@potluck/client installs ${name} through ${path}.`)
      const found = locate(name, path, packages)
      if (found !== undefined) visit(found)
    }
  }
  visit('client')
}

/** The path of a dependency. npm installs it in the package that needs it, or in a folder above. */
function locate(name: string, from: string, packages: Record<string, unknown>): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (path in packages) return path
    if (at === '') return undefined
  }
}

/**
 * Bundles a program that imports the built client for a browser.
 *
 * @param directory where packages find the built client in `node_modules`
 * @throws Error for an import that a browser lacks, and for each warning of the bundler
 */
export async function bundleForBrowser(directory: string): Promise<void> {
  const entry = '\0program'
  const bundle = await rolldown({
    input: entry,
    cwd: directory,
    platform: 'browser',
    plugins: [
      {
        name: 'program',
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? "import { createClient } from '@potluck/client'\ncreateClient()" : null)
      }
    ],
    onLog: (_level, { message }) => {
      throw new Error(`@potluck/client does not bundle for browsers: ${message}`)
    }
  })
  await bundle.generate()
  await bundle.close()
}
