import process from 'node:process'

/** The environment of a process that evaluates: this one's, and two settings that can be made nowhere else. */
export function engineEnvironment(): NodeJS.ProcessEnv {
  return {
    // Weights in huge pages, where the system leaves the choice to programs, as Linux does by default: a token of 0.5B
    // by itself takes 12.3 ms for 13.3. glibc alone knows it.
    GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    ...process.env,
    // libuv's threads evaluate the batches; a second one costs half the speed (measured: 49 for 86-98 tokens a second).
    UV_THREADPOOL_SIZE: '1'
  }
}
