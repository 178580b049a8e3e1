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
