/**
 * A Vitest reporter that writes the numbers of passed and failed tests to a file for `.ci/run`. An error outside of any
 * test counts as a failure.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

export default class CiReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const directory = process.env.POTLUCK_CI_RESULTS
    if (directory === undefined) return
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else if (state !== 'skipped') failed++
      }
      for (const suite of module.children.allSuites()) failed += suite.errors().length
    }
    writeFileSync(join(directory, 'test'), `${passed} ${failed}\n`)
  }
}
