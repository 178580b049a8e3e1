/** What Linux reports about a process. */
import { readFile } from 'node:fs/promises'

/** Ticks of the processor time in `/proc/PID/stat` per second: `USER_HZ`, which is 100 on all common machines. */
const TICKS_PER_SECOND = 100
/** Positions in `/proc/PID/stat` after the name of the program: the ticks in user mode, and those in the kernel. */
const USER_TICKS = 11
const SYSTEM_TICKS = 12

export interface ProcessUsage {
  cpuSeconds: number
  /** Memory of the process now, and the most since its start. */
  rssBytes: number
  mostRssBytes: number
  /** Bytes of all reads and writes: sockets, files and channels to other processes. */
  readBytes: number
  writtenBytes: number
}

export async function usageOf(pid: number): Promise<ProcessUsage> {
  const [stat, status, io] = await Promise.all(
    ['stat', 'status', 'io'].map(async (name) => await readFile(`/proc/${pid}/${name}`, 'utf8'))
  )
  const ticks = stat!.slice(stat!.lastIndexOf(')') + 2).split(' ')
  const field = (text: string, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1])
  return {
    cpuSeconds: (Number(ticks[USER_TICKS]) + Number(ticks[SYSTEM_TICKS])) / TICKS_PER_SECOND,
    rssBytes: field(status!, 'VmRSS') * 1024,
    mostRssBytes: field(status!, 'VmHWM') * 1024,
    readBytes: field(io!, 'rchar'),
    writtenBytes: field(io!, 'wchar')
  }
}

/** The processes that this process started and that still run. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.trim().split(' ').filter(Boolean).map(Number)
}
