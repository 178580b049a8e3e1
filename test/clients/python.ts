/** Installs packages from PyPI at fixed versions into a virtual environment, and runs programs with them. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { TestContext } from 'vitest'

import { runCommand } from './npm-command.ts'

const run = promisify(execFile)
/** Git ignores `node_modules`, so the environments stay for the next run. */
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.clients')
const INSTALL_MS = 300_000

/**
 * Runs the program with the package, and returns what it prints as JSON. Skips the test if the machine cannot make virtual
 * environments.
 *
 * @param spec the package and its version, such as `anthropic==2.12.0`
 */
export async function runPython(context: TestContext, spec: string, program: string, url: string): Promise<unknown> {
  const python = await environment(spec)
  if (python === undefined) return context.skip('python3 cannot make virtual environments: install python3-venv')
  const printed = await runCommand(python, ['-c', program], { cwd: join(python, '..'), env: { URL: url } })
  return JSON.parse(printed)
}

/** Returns the path of the interpreter; undefined if the machine cannot make virtual environments. */
async function environment(spec: string): Promise<string | undefined> {
  const folder = join(CACHE, spec)
  const python = join(folder, 'bin', 'python')
  const installed = join(folder, 'bin', 'installed')
  if (existsSync(installed)) return python
  try {
    await run('python3', ['-m', 'venv', '--clear', folder], { timeout: INSTALL_MS })
  } catch {
    return undefined
  }
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', spec], { timeout: INSTALL_MS })
  await run('touch', [installed])
  return python
}
