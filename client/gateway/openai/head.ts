/** What every object of one completion begins with. */

export interface Head<Kind extends string> {
  id: string
  object: Kind
  /** Seconds since the epoch. */
  created: number
  model: string
  /** Changes with the weights: with the same one and the same seed, answers are the same. */
  system_fingerprint: string
}

/** An id as OpenAI's look, by which clients tell answers apart. */
export function newId(prefix: string): string {
  return `${prefix}${crypto.randomUUID().replaceAll('-', '')}`
}

/** `auto` becomes the name of what answers; a name or digest stays as the caller wrote it. */
export function shownModel(asked: string, answering: { name: string }): string {
  return asked === 'auto' ? answering.name : asked
}

export function fingerprint({ digest }: { digest: string }): string {
  return `fp_${digest.slice('sha256:'.length, 'sha256:'.length + 12)}`
}
