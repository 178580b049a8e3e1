/** Installs packages from PyPI at fixed versions into a virtual environment, and runs programs with them. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { TestContext } from 'vitest'

import { runCommand, type RunOptions } from './npm-command.ts'

const run = promisify(execFile)
/** Git ignores `node_modules`, so the environments stay for the next run. */
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.clients')
const INSTALL_MS = 300_000

/**
 * Runs the program with the package, and returns what it prints as JSON. Skips the test if the machine cannot make
 * virtual environments.
 *
 * @param spec the packages and their versions, such as `anthropic==2.12.0`, with a blank between two
 */
export async function runPython(context: TestContext, spec: string, program: string, url: string): Promise<unknown> {
  const bin = await environment(context, spec)
  // Some packages read the source of the program's functions.
  const file = join(bin, 'program.py')
  await writeFile(file, program)
  const printed = await runCommand(join(bin, 'python'), [file], { cwd: bin, env: { URL: url } })
  // Packages print warnings too.
  return JSON.parse(printed.split('\n').findLast((line) => line.startsWith('{')) ?? '')
}

/** Runs a command of the package, and returns what it prints. Skips the test as `runPython`. */
export async function runPythonCommand(
  context: TestContext,
  spec: string,
  [command = '', ...args]: readonly string[],
  options: RunOptions
): Promise<string> {
  return await runCommand(join(await environment(context, spec), command), args, options)
}

/** Returns the folder of the commands. Skips the test if the machine cannot make virtual environments. */
async function environment(context: TestContext, spec: string): Promise<string> {
  const folder = join(CACHE, spec)
  const bin = join(folder, 'bin')
  const installed = join(bin, 'installed')
  if (existsSync(installed)) return bin
  try {
    await run('python3', ['-m', 'venv', '--clear', folder], { timeout: INSTALL_MS })
  } catch {
    context.skip('python3 cannot make virtual environments: install python3-venv')
  }
  await run(
    join(bin, 'python'),
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...spec.split(' ')],
    { timeout: INSTALL_MS }
  )
  await run('touch', [installed])
  return bin
}
