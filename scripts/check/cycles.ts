/**
 * Finds cycles of imports between files and between folders.
 *
 * A folder here is a directory without its subdirectories. Folder A imports folder B if a file in A imports a file in
 * B. So the files of a directory may import a subdirectory, or the subdirectory may import them, but not both.
 *
 * Two kinds of files do not belong to the folder of their directory. Each such file counts as a separate folder:
 * - Files at the root of a package, or of the scripts. The whole package uses some of them, such as its constants.
 *   Others use the whole package. A root file must not import a folder that imports this root file.
 * - Entry points (`index.ts`, `index.node.ts`). They may re-export the subfolders of their directory.
 */
import { posix } from 'node:path'

import { sourceRoots, readImports, type ImportGraph } from './imports.ts'

const ENTRY_POINT = /\/index(\.\w+)?\.ts$/
const ADVICE = 'remove one of these imports, or move what both sides need to a place that imports neither'

/** Returns one line for each group of files, then for each group of folders, that import each other. */
export function describeCycles(root: string): string[] {
  const files = readImports(root)
  const roots = new Set(sourceRoots(root))
  const folderOf = (file: string): string =>
    roots.has(posix.dirname(file)) || ENTRY_POINT.test(file) ? file : posix.dirname(file)
  const ofFiles = findCycles(files)
  // A cycle in which all members are single files is already in `ofFiles`.
  const ofFolders = findCycles(toFolders(files, folderOf)).filter(({ members }) =>
    members.some((member) => !files.has(member))
  )
  return [
    ...ofFiles.map((cycle) => `Cycle of files: ${describe(cycle)}: ${ADVICE}`),
    ...ofFolders.map((cycle) => {
      const imports = cycle.path.slice(1).map((to, index) => findImport(files, folderOf, cycle.path[index], to))
      return `Cycle of folders: ${describe(cycle)}: ${ADVICE} (${imports.join(', ')})`
    })
  ]
}

interface Cycle {
  /** A shortest cycle of the group. It ends where it begins. */
  path: readonly string[]
  /** All files or folders of the group. Imports lead from each of them to every other one. */
  members: readonly string[]
}

function describe({ path, members }: Cycle): string {
  const more = members.filter((member) => !path.includes(member))
  const rest = more.length === 0 ? '' : ` (in cycles with ${more.length} more: ${more.join(', ')})`
  return `${path.join(' -> ')}${rest}`
}

/** Finds the strongly connected components of the graph with at least one cycle. */
function findCycles(graph: ImportGraph): Cycle[] {
  const reachable = new Map([...graph.keys()].map((node) => [node, reachableFrom(graph, node)]))
  const done = new Set<string>()
  const cycles: Cycle[] = []
  for (const [node, reached] of reachable) {
    if (done.has(node) || !reached.has(node)) continue
    const members = [...reached].filter((other) => reachable.get(other)?.has(node) === true).toSorted()
    for (const member of members) done.add(member)
    const paths = members.map((member) => shortestCycle(graph, member))
    cycles.push({ path: paths.toSorted((a, b) => a.length - b.length)[0] ?? [], members })
  }
  return cycles
}

/** The nodes that one import or more lead to. */
function reachableFrom(graph: ImportGraph, start: string): Set<string> {
  const reached = new Set(graph.get(start))
  // A loop over a set also visits elements that are added during the loop.
  for (const node of reached) for (const next of graph.get(node) ?? []) reached.add(next)
  return reached
}

/** Searches breadth first from a node that is in a cycle, back to that node. */
function shortestCycle(graph: ImportGraph, start: string): string[] {
  const paths = [[start]]
  const visited = new Set<string>()
  for (const path of paths) {
    for (const next of graph.get(path.at(-1) ?? '') ?? []) {
      if (next === start) return [...path, start]
      if (!visited.has(next)) paths.push([...path, next])
      visited.add(next)
    }
  }
  return []
}

function toFolders(files: ImportGraph, folderOf: (file: string) => string): ImportGraph {
  const folders = new Map<string, Set<string>>()
  for (const [file, imported] of files) {
    const folder = folderOf(file)
    const targets = folders.get(folder) ?? new Set()
    for (const target of imported) if (folderOf(target) !== folder) targets.add(folderOf(target))
    folders.set(folder, targets)
  }
  return folders
}

/** Describes one import that leads from a folder to another. */
function findImport(
  files: ImportGraph,
  folderOf: (file: string) => string,
  from: string | undefined,
  to: string
): string {
  for (const [file, imported] of files) {
    const target = folderOf(file) === from ? [...imported].find((one) => folderOf(one) === to) : undefined
    if (target !== undefined) return `${file} imports ${target}`
  }
  return ''
}
