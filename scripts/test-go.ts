/**
 * `npm run test:go [file …]`: builds the Go peer and runs the tests in `test/go`. With `--slow`, also the test that
 * waits for a relay's default limit of two minutes.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MODULE = fileURLToPath(new URL('../test/go/peer', import.meta.url))

function run(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): boolean {
  return spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options }).status === 0
}

function main(args: string[]): boolean {
  if (spawnSync('go', ['version']).status !== 0) {
    process.stderr.write('Cannot run the tests with Go peers: "go" is not installed. Install Go 1.26 or newer.\n')
    return false
  }
  if (!run('go', ['build', '-o', `${ROOT}.cache/go-peer`, '.'], { cwd: MODULE })) return false
  const slow = args.includes('--slow')
  const files = args.filter((arg) => arg !== '--slow')
  const env = slow ? { ...process.env, POTLUCK_TEST_SLOW: '1' } : process.env
  return run('npx', ['vitest', 'run', '--config', 'test/go/vitest.config.ts', '--root', ROOT, ...files], { env })
}

process.exitCode = main(process.argv.slice(2)) ? 0 : 1
