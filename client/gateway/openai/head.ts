/** The first fields of a completion, which all chunks of a stream repeat. */
import type { AnswerMetadata } from '@potluck/client'

export interface Head<Kind extends string> {
  id: string
  object: Kind
  /** Seconds since the epoch. */
  created: number
  model: string
  /** Identifies the weights. The same weights give the same answer to the same request with the same seed. */
  system_fingerprint: string
}

export interface HeadOptions {
  /** From `newId`. */
  id: string
  /** The model that the caller named: a name, a digest or `auto`. */
  model: string
  /** Seconds since the epoch. */
  created: number
}

/** @param answering the model that answers */
export function head<Kind extends string>(
  object: Kind,
  { id, model, created }: HeadOptions,
  answering: { name: string; digest: string }
): Head<Kind> {
  return { id, object, created, model: shownModel(model, answering), system_fingerprint: fingerprint(answering) }
}

/** @param answers at least one, all of the same request */
export function modelOf(answers: readonly { metadata: AnswerMetadata }[]): AnswerMetadata['model'] {
  const [first] = answers
  if (first === undefined) throw new Error('a completion without answers')
  return first.metadata.model
}

/** A unique id in the form of OpenAI's ids. */
export function newId(prefix: string): string {
  return `${prefix}${crypto.randomUUID().replaceAll('-', '')}`
}

/** Replaces `auto` by the name of the model that answers. A name or digest stays as the caller wrote it. */
export function shownModel(asked: string, answering: { name: string }): string {
  return asked === 'auto' ? answering.name : asked
}

function fingerprint({ digest }: { digest: string }): string {
  return `fp_${digest.slice('sha256:'.length, 'sha256:'.length + 12)}`
}
