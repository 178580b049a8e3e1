/** An answer as it is shown: its text as it comes, then one line about it; or each part as JSON. */
import type { Answer, FinishPart } from '@potluck/client'

import { printAnswer, printJson, printLine, printNote, printThought } from './output.ts'
import { duration, rate, shortPeer } from './units.ts'

/**
 * Shows an answer to its end and returns its text.
 *
 * @throws PotluckError as the answer fails; what came of it stays shown
 */
export async function showAnswer(answer: Answer, { json }: { json: boolean }): Promise<string> {
  let text = ''
  try {
    for await (const part of answer) {
      if (part.type === 'delta') text += part.text
      if (json) printJson(part.type === 'finish' ? finishJson(part) : part)
      else if (part.type === 'delta') {
        if (part.reasoning !== undefined) printThought(part.reasoning)
        printAnswer(part.text)
      } else if (part.type === 'finish') {
        printLine()
        printNote(summary(part))
      }
    }
  } catch (error) {
    if (!json && text !== '') printLine()
    throw error
  }
  return text
}

/** One line about an answer: who gave it, how, how fast. */
function summary({ usage, finishReason, metadata }: FinishPart): string {
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
function finishJson({ metadata, ...rest }: FinishPart): object {
  return { ...rest, metadata: { ...metadata, receipt: Buffer.from(metadata.receipt).toString('base64') } }
}
