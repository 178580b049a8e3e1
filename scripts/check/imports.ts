/** The graph of imports between the source files of the packages and the scripts. */
import { globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

import { parseSync, Visitor } from 'oxc-parser'

/** Each file with the files that it imports. Paths are relative to the repository and use `/`. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>

interface Manifest {
  name: string
  workspaces?: string[]
  exports?: unknown
}

/** The roots of the source: the packages, which are the `workspaces` of the root `package.json`, and the scripts. */
export function sourceRoots(root: string): string[] {
  return [...packageFolders(root), 'scripts']
}

function packageFolders(root: string): string[] {
  return (readManifest(root).workspaces ?? []).map((folder) => posix.normalize(folder))
}

/**
 * Reads every import of the source files: static, dynamic, re-exported and type-only imports. An import of one of the
 * repository's packages by name counts as an import of every file that the package's `exports` list for this name,
 * under any condition. The graph leaves out the imports of other packages, of Node's modules and of JSON files.
 *
 * @throws Error if a file cannot be parsed
 */
export function readImports(root: string): ImportGraph {
  const entries = new Map(packageFolders(root).flatMap((folder) => [...entryFiles(root, folder)]))
  const files = new Set(sourceRoots(root).flatMap((folder) => sourceFiles(root, folder)))
  const resolve = (file: string, specifier: string): readonly string[] =>
    specifier.startsWith('.') ? [posix.join(posix.dirname(file), specifier)] : (entries.get(specifier) ?? [])
  return new Map(
    [...files].map((file) => {
      const specifiers = readSpecifiers(file, readFileSync(join(root, file), 'utf8'))
      const targets = specifiers.flatMap((specifier) => resolve(file, specifier))
      return [file, new Set(targets.filter((target) => files.has(target)))]
    })
  )
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** The names under which a package can be imported, such as `@potluck/client`, each with its files. */
function entryFiles(root: string, folder: string): Map<string, string[]> {
  const { name, exports = {} } = readManifest(join(root, folder))
  const subpaths = typeof exports === 'object' && exports !== null ? exports : { '.': exports }
  return new Map(
    Object.entries(subpaths).map(([subpath, target]) => [
      posix.join(name, subpath),
      targetFiles(target).map((file) => posix.join(folder, file))
    ])
  )
}

/** The files of one entry of `exports`: a path, or an object of conditions with paths. */
function targetFiles(target: unknown): string[] {
  if (typeof target === 'string') return [target]
  return typeof target === 'object' && target !== null ? Object.values(target).flatMap(targetFiles) : []
}

function sourceFiles(root: string, folder: string): string[] {
  const found = globSync('**/*.{ts,tsx}', { cwd: join(root, folder), exclude: ['**/node_modules', '**/dist'] })
  return found.map((file) => posix.join(folder, file.replaceAll('\\', '/')))
}

function readSpecifiers(file: string, source: string): string[] {
  const { program, errors } = parseSync(file, source)
  if (errors[0] !== undefined) throw new Error(`Cannot parse ${file}: ${errors[0].message}`)
  const specifiers: string[] = []
  const add = (node: { source: { value?: unknown } | null }): void => {
    if (typeof node.source?.value === 'string') specifiers.push(node.source.value)
  }
  new Visitor({
    ImportDeclaration: add,
    ExportNamedDeclaration: add,
    ExportAllDeclaration: add,
    ImportExpression: (node) => add({ source: 'value' in node.source ? node.source : null }),
    TSImportType: add
  }).visit(program)
  return specifiers
}
