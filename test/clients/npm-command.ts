/** Installs the command of an npm package at a fixed version, and runs it. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Git ignores `node_modules`, so the packages stay for the next run. */
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.clients')
const INSTALL_MS = 300_000
const RUN_MS = 180_000

/** These packages have hundreds of megabytes, so their tests run only if the environment asks for them. */
export const withDownloads: boolean = process.env.POTLUCK_CLIENTS === '1'

/**
 * Returns the path of the command.
 *
 * @param spec the package and its version, such as `opencode-ai@1.18.33`
 */
export async function npmCommand(spec: string, command: string): Promise<string> {
  const folder = join(CACHE, spec.replaceAll('/', '+'))
  const path = join(folder, 'node_modules', '.bin', command)
  if (existsSync(path)) return path
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await run('npm', ['install', '--no-audit', '--no-fund', spec], { cwd: folder, timeout: INSTALL_MS })
  return path
}

export interface RunOptions {
  cwd: string
  env: Readonly<Record<string, string>>
}

/** Runs the command without input, and returns what it prints. */
export async function runCommand(path: string, args: readonly string[], { cwd, env }: RunOptions): Promise<string> {
  const running = run(path, args, { cwd, env: { PATH: process.env.PATH, ...env }, timeout: RUN_MS })
  running.child.stdin?.end()
  const { stdout, stderr } = await running
  return `${stdout}\n${stderr}`
}
