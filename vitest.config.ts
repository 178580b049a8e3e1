import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need Go: `npm run test:go`.
    exclude: [...configDefaults.exclude, 'test/go/**'],
    // A process for each file: an engine or a libp2p node that one file leaves behind cannot reach another file.
    pool: 'forks',
    // Tests of bounded memory look at what is left after a collection.
    execArgv: ['--expose-gc'],
    // Engines are processes of their own with one thread each. More files at once than this only makes them wait.
    maxWorkers: 2,
    // A bound for a hang, not an expectation of speed: suites that start engines share two cores with others.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000
  }
})

export default config
