/** An answer as it is shown: its text as it comes, then one line about it; or each part as JSON. */
import type { Answer, FinishPart, PeerStanding } from '@potluck/client'

import { printAnswer, printJson, printLine, printThought } from './output.ts'
import { standingWord } from './standing.ts'
import { duration, rate, shortPeer } from './units.ts'

/** An answer that was shown to its end. */
export interface Shown {
  text: string
  finish: FinishPart
}

/**
 * Shows an answer to its end.
 *
 * @throws PotluckError as the answer fails; what came of it stays shown
 */
export async function showAnswer(answer: Answer, { json }: { json: boolean }): Promise<Shown> {
  let text = ''
  let finish: FinishPart | undefined
  try {
    for await (const part of answer) {
      if (part.type === 'delta') text += part.text
      if (part.type === 'finish') finish = part
      if (json) printJson(part.type === 'finish' ? finishJson(part) : part)
      else if (part.type === 'delta') {
        if (part.reasoning !== undefined) printThought(part.reasoning)
        printAnswer(part.text)
      }
    }
  } finally {
    if (!json && (text !== '' || finish !== undefined)) printLine()
  }
  // Every answer that does not fail has one.
  if (finish === undefined) throw new TypeError('the answer has no end')
  return { text, finish }
}

/** One line about an answer: who gave it and is thought how of, how, how fast. */
export function summary({ usage, finishReason, metadata }: FinishPart, standings: readonly PeerStanding[]): string {
  const { peerId, model, relayed, encryption, muxer, ttftMs, tokensPerSecond, totalMs, seed, failures, beginning } =
    metadata
  const standing = standings.find((one) => one.peerId === peerId && one.model.digest === model.digest)
  const continued = failures.filter(({ tokens }) => tokens > 0).length
  return [
    `${model.name} on ${shortPeer(peerId)}${standing === undefined ? '' : ` (${standingText(standing)})`}`,
    `${relayed ? 'relayed' : 'direct'}, ${encryption.slice(1)}, ${muxer.slice(1)}`,
    `${usage.completionTokens} tokens${finishReason === 'length' ? ' (cut at the limit)' : ''}`,
    `first after ${duration(ttftMs)}`,
    rate(tokensPerSecond),
    `${duration(totalMs)} in all`,
    `seed ${seed}`,
    ...(failures.length > 0
      ? [`after ${failures.length} failed (${failures.map(({ code }) => code).join(', ')})`]
      : []),
    ...(continued > 0 ? [`went on ${continued === 1 ? 'once' : `${continued} times`} from another node's tokens`] : []),
    ...(beginning === undefined ? [] : [`its first ${beginning.tokens} tokens are ${beginning.model.name}'s`])
  ].join(' · ')
}

function standingText(standing: PeerStanding): string {
  const { local, auditedTokens } = standing
  return local || auditedTokens === 0
    ? standingWord(standing)
    : `${standingWord(standing)}, ${auditedTokens} tokens audited`
}

/** A finish part as JSON: bytes as base64. */
function finishJson({ metadata, ...rest }: FinishPart): object {
  return { ...rest, metadata: { ...metadata, receipt: Buffer.from(metadata.receipt).toString('base64') } }
}
