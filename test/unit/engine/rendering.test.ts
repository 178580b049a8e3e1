/** The prompts of chats. If a result changes, raise `RENDERING`: the test then writes a new file. */
import { RENDERING, type ChatInput } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { renderChat } from '../../../node/engine/llama/rendering.ts'
import { ChatTemplate, type RenderedPart } from '../../../node/engine/llama/template.ts'
import { learnFormat } from '../../../node/engine/llama/tool-call-format.ts'

const TEMPLATES: Readonly<Record<string, string>> = {
  'ChatML with tools and reasoning': `{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content + '\\n\\n' }}{% endif %}# Tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}{% for message in messages %}{% if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.role != 'system' or not loop.first %}<|im_start|>{{ message.role }}
{{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}{# </think> #}`,
  'headers, a date, and a begin token': `{{ bos_token }}{% set today = strftime_now('%d %b %Y') %}{% for message in messages %}{% if loop.first %}Today Date: {{ today }} {{ date_string }}

{% endif %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>

{{ message['content'] | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`,
  'without a system role': `{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]{% else %}{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}`
}

const FIND = {
  name: 'find',
  description: 'Finds a "word" in <|im_end|> a text.',
  parameters: {
    type: 'object',
    properties: { word: { type: 'string', description: 'The word.' }, all: { type: 'boolean' } },
    required: ['word']
  }
}
const CHATS: Readonly<Record<string, ChatInput>> = {
  question: { messages: [{ role: 'user', content: ' What is 2 + 2?\n' }] },
  'system, and control tokens in the text': {
    messages: [
      { role: 'system', content: 'Be brief. {{ bos_token }}' },
      { role: 'user', content: '<|im_end|><|eot_id|> é 😀 \uFDD0' },
      { role: 'assistant', content: 'No.' },
      { role: 'user', content: 'Why?' }
    ]
  },
  'a tool, its call and its result': {
    messages: [
      { role: 'system', content: 'Use tools.' },
      { role: 'user', content: 'Find "fox".' },
      {
        role: 'assistant',
        content: '',
        toolCalls: [
          { id: 'call_1', name: 'find', arguments: '{"word":"a \\"fox\\"","all":true}' },
          { id: 'call_2', name: 'find', arguments: '{"word":' }
        ]
      },
      { role: 'tool', content: '3', toolCallId: 'call_1' },
      { role: 'tool', content: 'an error', toolCallId: 'call_2' },
      { role: 'user', content: 'Thanks.' }
    ],
    tools: [FIND, { name: 'stop' }]
  },
  'a tool that is not offered': {
    messages: [{ role: 'user', content: 'Hello' }],
    tools: [FIND],
    toolChoice: 'none'
  }
}

const written = (part: RenderedPart): string =>
  'text' in part ? `${part.type} ${JSON.stringify(part.text)}` : part.type

const CALLS_OF_ONE_MESSAGE: ChatInput = {
  messages: [
    { role: 'user', content: 'Find both.' },
    {
      role: 'assistant',
      content: 'I look.',
      toolCalls: [
        { id: 'call_1', name: 'find', arguments: '{"word":"a"}' },
        { id: 'call_2', name: 'find', arguments: '{"word":"b"}' }
      ]
    },
    { role: 'tool', content: '2', toolCallId: 'call_2' },
    { role: 'tool', content: '1', toolCallId: 'call_1' },
    { role: 'tool', content: 'of no call', toolCallId: 'call_3' },
    { role: 'user', content: 'Thanks.' }
  ],
  tools: [FIND]
}
const rendered = (source: string, chat: ChatInput): string[] => {
  const template = new ChatTemplate(source)
  return renderChat(
    chat,
    template,
    learnFormat(template, () => true)
  ).map(written)
}

test('a template that takes one call in a message gets each call with its result', () => {
  const source =
    '{{ tools | tojson }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.tool_calls %}{% set c = m.tool_calls[0].function %}{"name": "{{ c.name }}", "parameters": {{ c.arguments | tojson }}}{% endif %}{% endfor %}'
  const text = rendered(source, CALLS_OF_ONE_MESSAGE)
    .map((line) => JSON.parse(line.slice(line.indexOf(' '))) as string)
    .join('')
  expect(text.slice(text.indexOf('[user]'))).toBe(
    '[user]Find both.[assistant]I look.{"name": "find", "parameters": {"word": "a"}}[tool]1' +
      '[assistant]{"name": "find", "parameters": {"word": "b"}}[tool]2[tool]of no call[user]Thanks.'
  )
})

test('the node describes the tools if only calls are in the template, and their words cannot be control tokens', () => {
  const source =
    '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls or [] %}<|call|>{{ c.function.name }}<|sep|>{{ c.function.arguments | tojson }}<|end_call|>{% endfor %}{% endfor %}'
  const [head, description, how, question] = rendered(source, {
    messages: [{ role: 'user', content: 'Find it.' }],
    tools: [FIND]
  })
  expect(head).toContain('[system]')
  expect(description).toMatch(/^content .*<\|im_end\|>/)
  expect(how).toContain("<|call|>the tool's name<|sep|>{}<|end_call|>")
  expect(question).toContain('Find it.')
})

test('the prompts of this version of the rendering are the same as before', async () => {
  const lines: string[] = []
  for (const [name, source] of Object.entries(TEMPLATES)) {
    const template = new ChatTemplate(source)
    const format = learnFormat(template, () => true)
    lines.push(`${name}: ${JSON.stringify(format)}`)
    for (const [title, chat] of Object.entries(CHATS)) {
      lines.push(`  ${title}`, ...renderChat(chat, template, format).map((part) => `    ${written(part)}`))
    }
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`../../vectors/rendering-${RENDERING}.txt`)
})
