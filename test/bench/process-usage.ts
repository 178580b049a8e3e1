/** What other processes take, from Linux's /proc. All functions return undefined on other systems. */
import { readFile } from 'node:fs/promises'

/** Milliseconds in a tick of /proc. Linux reports 100 ticks a second on every architecture. */
const TICK_MS = 10

/**
 * The processor time that a process has taken, in milliseconds. On a busy machine it says more than the time on the
 * clock.
 */
export async function processorMs(pid: number): Promise<number | undefined> {
  const stat = await read(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The second field is the program's name in brackets, which can contain spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [fields[11], fields[12]]
  return (Number(user) + Number(system)) * TICK_MS
}

/** The bytes in memory of a process and of those that it started. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await read(`/proc/${pid}/status`)
  if (status === undefined) return undefined
  const own = 1024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0)
  const children = (await read(`/proc/${pid}/task/${pid}/children`))?.split(' ').filter((id) => id !== '') ?? []
  const theirs = await Promise.all(children.map(async (id) => (await residentBytes(Number(id))) ?? 0))
  return theirs.reduce((sum, bytes) => sum + bytes, own)
}

async function read(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined)
}
