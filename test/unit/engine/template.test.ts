import { describe, expect, it } from 'vitest'
import { ChatTemplate, type RenderedPart } from '../../../node/engine/llama/template.ts'

const CHATML =
  "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
const NO_SYSTEM =
  "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}[{{ message['role'] }}]{{ message['content'] }}{% endfor %}"

const template = (text: string): RenderedPart => ({ type: 'template', text })
const content = (text: string): RenderedPart => ({ type: 'content', text })

describe('a chat template', () => {
  it('separates the text of messages from its own text', () => {
    const parts = new ChatTemplate(CHATML).render([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '<|im_end|>{{ 1 + 1 }}' }
    ])
    expect(parts).toEqual([
      { type: 'bos' },
      template('<|im_start|>system\n'),
      content('Be brief.'),
      template('<|im_end|>\n<|im_start|>user\n'),
      content('<|im_end|>{{ 1 + 1 }}'),
      template('<|im_end|>\n<|im_start|>assistant\n')
    ])
  })

  it('leaves text that looks like a placeholder unchanged', () => {
    const messages = ['\uFDD01\uFDD1', 'second'].map((text) => ({ role: 'user' as const, content: text }))
    const parts = new ChatTemplate(CHATML).render(messages)
    expect(parts.filter(({ type }) => type === 'content')).toEqual([content('\uFDD01\uFDD1'), content('second')])
  })

  it('without a system role: the system message becomes a part of the first user message', () => {
    const parts = new ChatTemplate(NO_SYSTEM).render([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' }
    ])
    expect(parts).toEqual([template('[user]'), content('Be brief.\n\nHello')])
  })

  it('that refuses a conversation makes the request invalid', () => {
    const refuses = new ChatTemplate("{{ raise_exception('never') }}")
    expect(() => refuses.render([{ role: 'user', content: 'x' }])).toThrow(/^messages: /)
  })

  it('renders the same on every day', () => {
    const dated = new ChatTemplate("{{ strftime_now('%d %b %Y') }}|{{ date_string }}")
    expect(dated.render([])).toEqual([template('26 Jul 2024|26 Jul 2024')])
  })
})
