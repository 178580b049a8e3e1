/** Figures as people read them. */

/** "1.4 s", "230 ms". */
export function duration(ms: number): string {
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** "640 MB", in powers of 1,000 as disks and model hubs count. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3))
  const value = count / 1000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? 'B'}`
}

/** "1.7 B" parameters. */
export function parameters(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} B`
  return count >= 1e6 ? `${(count / 1e6).toFixed(1)} M` : `${Math.round(count / 1e3)} K`
}

/** "56 tok/s"; a rate that was not measured is a dash. */
export function rate(tokensPerSecond: number): string {
  if (tokensPerSecond <= 0) return '-'
  return `${tokensPerSecond < 10 ? tokensPerSecond.toFixed(1) : Math.round(tokensPerSecond)} tok/s`
}

/** The end of a peer id, which tells peers apart; the beginning is the same for all keys of a type. */
export function shortPeer(peerId: string): string {
  return `…${peerId.slice(-8)}`
}

/** The first digits of a digest: `sha256:1a2b3c4d5e6f`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12)
}
