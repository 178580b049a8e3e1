import type { FinishPart } from '@potluck/client'

import { duration, rate, shortPeer } from './units.ts'

/** One line about an answer: who gave it, how, how fast. */
export function summary({ usage, finishReason, metadata }: FinishPart): string {
  const { peerId, model, relayed, encryption, muxer, ttftMs, tokensPerSecond, totalMs, seed, failures } = metadata
  return [
    `${model.name} on ${shortPeer(peerId)}`,
    `${relayed ? 'relayed' : 'direct'}, ${encryption.slice(1)}, ${muxer.slice(1)}`,
    `${usage.completionTokens} tokens${finishReason === 'length' ? ' (cut at the limit)' : ''}`,
    `first after ${duration(ttftMs)}`,
    rate(tokensPerSecond),
    `${duration(totalMs)} in all`,
    `seed ${seed}`,
    ...(failures.length > 0 ? [`after ${failures.length} failed (${failures.map(({ code }) => code).join(', ')})`] : [])
  ].join(' · ')
}

/** A finish part as JSON: bytes as base64. */
export function finishJson({ metadata, ...rest }: FinishPart): object {
  return { ...rest, metadata: { ...metadata, receipt: Buffer.from(metadata.receipt).toString('base64') } }
}
