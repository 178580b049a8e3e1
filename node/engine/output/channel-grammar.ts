import { Alternation, Concatenation, FreeText, Literal, Repeat, type GrammarNode } from '@potluck/protocol'
import { CHANNELS } from './channels.ts'

/** Messages of reasoning, and words before a call. Models write two or three. */
const MAX_ASIDES = 16

interface ChannelAnswer {
  /** For each tool, its name and the JSON object of its arguments. */
  calls: readonly { name: string; json: GrammarNode }[]
  /** What the final message must be. Undefined: any text. */
  document: GrammarNode | undefined
  /** Whether the answer must be a call. */
  forced: boolean
}

/** Returns the grammar of an answer in channels, see `channels.ts`. */
export function channelGrammar({ calls, document, forced }: ChannelAnswer): GrammarNode {
  const { start, channel, toTool, constrain, message, end } = CHANNELS
  const aside = new Concatenation(
    new Literal(channel),
    new Alternation(new Literal('analysis'), new Literal('commentary')),
    new Literal(message),
    new FreeText('until', end),
    new Literal(start)
  )
  // Models write the channel before the tool, and the template writes it after the tool.
  const type = new Alternation(new Literal(` ${constrain}json`), new Literal(' json'), new Concatenation())
  const headed = ({ name, json }: ChannelAnswer['calls'][number]): GrammarNode =>
    new Concatenation(
      new Alternation(
        new Literal(`${channel}commentary${toTool}${name}`),
        new Literal(`${toTool}${name}${channel}commentary`)
      ),
      type,
      new Literal(message),
      json
    )
  const final = new Concatenation(new Literal(`${channel}final${message}`), document ?? new FreeText('without', end))
  const last = [...(forced ? [] : [final]), ...calls.map(headed)]
  return new Concatenation(new Repeat(aside, new Concatenation(), 0, MAX_ASIDES), new Alternation(...last))
}
