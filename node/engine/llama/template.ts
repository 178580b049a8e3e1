/**
 * The model's own chat template, with the messages' text kept apart from the template's: only the
 * template may speak control tokens. A user who writes `<|im_end|>` gets those characters, not the
 * end of a turn.
 */
import { Template } from '@huggingface/jinja'
import { PotluckError, type ChatMessage } from '@potluck/protocol'

/** A part of a rendered chat. */
export type RenderedPart =
  /** The template's own text, in which control tokens are meant. */
  | { type: 'template'; text: string }
  /** A message's text, in which they are not. */
  | { type: 'content'; text: string }
  | { type: 'bos' }
  | { type: 'eos' }

// Noncharacters: they stand for nothing, so no template holds them.
const OPEN = '\uFDD0'
const CLOSE = '\uFDD1'
const PLACEHOLDER = new RegExp(`${OPEN}(bos|eos|\\d+)${CLOSE}`, 'u')

/** The day that templates with a date in them get: a rendering must be the same for an auditor. */
const TODAY = '26 Jul 2024'
/**
 * Puts our day in place of the library's own `strftime_now`, which cannot be declared twice. The empty
 * expression keeps the library from trimming the template's first line.
 */
const PRELUDE = "{% set strftime_now = potluck_today %}{{ '' }}"

export class ChatTemplate {
  readonly #template: Template

  /** @throws if the template cannot be parsed */
  constructor(source: string) {
    this.#template = new Template(PRELUDE + source)
  }

  /**
   * Renders a chat up to where the assistant is to speak.
   *
   * @throws PotluckError `invalid_request` if the template refuses the conversation
   */
  render(messages: readonly ChatMessage[]): RenderedPart[] {
    const plain = messages.map(({ role, content }) => ({ role, content }))
    // Some templates know no system role, and say so by an exception.
    const rendered = this.#tryRender(plain) ?? this.#tryRender(withoutSystem(plain))
    if (rendered === undefined) {
      throw new PotluckError('invalid_request', "messages: the model's chat template does not take this order of roles")
    }
    return rendered
  }

  #tryRender(messages: readonly ChatMessage[]): RenderedPart[] | undefined {
    let text: string
    try {
      text = this.#template.render({
        messages: messages.map(({ role }, index) => ({ role, content: placeholder(index) })),
        add_generation_prompt: true,
        bos_token: placeholder('bos'),
        eos_token: placeholder('eos'),
        date_string: TODAY,
        potluck_today: () => TODAY
      })
    } catch (error) {
      if (error instanceof Error) return undefined
      throw error
    }
    return split(text, messages)
  }
}

function placeholder(name: number | 'bos' | 'eos'): string {
  return `${OPEN}${name}${CLOSE}`
}

function split(text: string, messages: readonly ChatMessage[]): RenderedPart[] {
  // A split by a pattern with a group alternates between text and what the group caught.
  return text.split(PLACEHOLDER).flatMap((part, index): RenderedPart[] => {
    if (index % 2 === 0) return part === '' ? [] : [{ type: 'template', text: part }]
    if (part === 'bos' || part === 'eos') return [{ type: part }]
    return [{ type: 'content', text: messages[Number(part)]?.content ?? '' }]
  })
}

/** Puts what the system says at the head of the first message of the user. */
function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const instructions = messages.filter(({ role }) => role === 'system').map(({ content }) => content)
  const others = messages.filter(({ role }) => role !== 'system')
  const first = others.findIndex(({ role }) => role === 'user')
  return others.map((message, index) =>
    index === first ? { role: 'user', content: [...instructions, message.content].join('\n\n') } : message
  )
}
