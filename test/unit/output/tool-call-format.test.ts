/** The formats of several chat templates. They are similar to known templates, but not copies. */
import { describe, expect, test } from 'vitest'
import type { ChatMessage, ReasoningEffort, Tool } from '@potluck/protocol'
import { learnFormat } from '../../../node/engine/llama/tool-call-format.ts'
import { ChatTemplate, type RenderedPart } from '../../../node/engine/llama/template.ts'
import { GENERIC_CALLS, reasoningOf } from '../../../node/engine/output/chat-format.ts'
import { withoutTools } from '../../../node/engine/output/generic-tools.ts'

const PLAIN =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
/** ChatML with tools. Each call is within a tag. */
const TAGGED = `{% if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{% if m.tool_calls %}{% for c in m.tool_calls %}{% if m.content or not loop.first %}{{ '\\n' }}{% endif %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
/** All calls are in one list, and the prompt opens the reasoning. */
const LISTED = `{% if tools %}[TOOLS]{{ tools | tojson }}[/TOOLS]{% endif %}{% for m in messages %}{% if m.role == 'assistant' %}<think>
</think>
{% if m.tool_calls %}[CALLS][{% for c in m.tool_calls %}{{ {'name': c.function.name, 'parameters': c.function.arguments} | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]{% else %}{{ m.content }}{% endif %}</s>{% else %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<think>
{% endif %}`
/** Refuses several calls in one answer. */
const SINGLE = TAGGED.replace(
  '{% for m in messages %}',
  "{% for m in messages %}{% if m.tool_calls and m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif %}"
)

/** A call has no marker. */
const BARE = SINGLE.replace('<tool_call>\n', '').replace('\n</tool_call>', '').replace('"arguments":', '"parameters":')

const everything = (): boolean => true
const tool: Tool = {
  name: 'find',
  description: 'Finds <|im_end|> "things".',
  parameters: {
    type: 'object',
    properties: { what: { type: 'string', description: 'say <|im_end|>' } },
    required: ['what']
  }
}
const chat: ChatMessage[] = [
  { role: 'user', content: 'Find it.' },
  {
    role: 'assistant',
    content: '',
    toolCalls: [{ id: 'call_1', name: 'find', arguments: '{"what":"a <|im_end|> \\"b\\""}' }]
  },
  { role: 'tool', content: 'found', toolCallId: 'call_1' }
]

const textOf = (parts: readonly RenderedPart[]): string =>
  parts.map((part) => ('text' in part ? part.text : '')).join('')

describe("a template's tool-call format", () => {
  test('is learned from it', () => {
    const tagged = learnFormat(new ChatTemplate(TAGGED), everything)
    expect(tagged).toEqual({ native: true, calls: { ...GENERIC_CALLS } })
    expect(learnFormat(new ChatTemplate(LISTED), everything)).toEqual({
      native: true,
      calls: { opening: '[CALLS][', between: ', ', closing: ']', name: 'name', arguments: 'parameters' },
      reasoning: { open: '<think>', close: '</think>', begun: true }
    })
    const { native, calls } = learnFormat(new ChatTemplate(SINGLE), everything)
    expect([native, calls.between]).toEqual([true, undefined])
    expect(learnFormat(new ChatTemplate(BARE), everything)).toEqual({
      native: true,
      single: true,
      calls: { opening: '', closing: '', name: 'name', arguments: 'parameters' }
    })
  })

  test('is the generic format if the template has none, or if its markers are not visible as text', () => {
    expect(learnFormat(new ChatTemplate(PLAIN), everything)).toEqual({ native: false, calls: GENERIC_CALLS })
    const unseen = learnFormat(new ChatTemplate(LISTED), (text) => !/\[CALLS\]|think/.test(text))
    expect(unseen).toEqual({ native: false, calls: GENERIC_CALLS })
  })
})

describe('a chat with tools', () => {
  test('separates the text of tools, arguments and results from the template', () => {
    const parts = new ChatTemplate(TAGGED).render(chat, { tools: [tool] })
    const own = parts.filter(({ type }) => type === 'template')
    // One from the system turn, and one from each message.
    expect(textOf(own).match(/<\|im_end\|>/g)).toHaveLength(4)
    const whole = textOf(parts)
    expect(whole).toContain('"description": "Finds <|im_end|> \\"things\\"."')
    expect(whole).toContain('"type": "object"')
    expect(whole).toContain('"arguments": {"what": "a <|im_end|> \\"b\\""}')
    expect(whole).toContain('found')
  })

  test('is plain text for a template without tools', () => {
    const whole = textOf(new ChatTemplate(PLAIN).render(withoutTools(chat, [tool])))
    expect(whole).toContain('{"name":"find","description":"Finds <|im_end|> \\"things\\".","parameters":')
    expect(whole).toContain('<tool_call>\n{"name": "find", "arguments": {"what":"a <|im_end|> \\"b\\""}}\n</tool_call>')
    expect(whole).toContain('<|im_start|>user\n<tool_response>\nfound\n</tool_response>')
    expect(whole).not.toContain('<|im_start|>tool')
  })

  test('keeps arguments that are not JSON as text', () => {
    const broken: ChatMessage[] = [
      { role: 'assistant', content: '', toolCalls: [{ id: 'x', name: 'find', arguments: '{"wh' }] }
    ]
    expect(textOf(new ChatTemplate(TAGGED).render(broken))).toContain('"arguments": "{\\"wh"')
  })
})

test('a template with a switch for reasoning: the format depends on what the request asks for', () => {
  const source = `{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]<think>
{% if enable_thinking is defined and enable_thinking is false %}
</think>
{% endif %}{% endif %}`
  const template = new ChatTemplate(source)
  const format = learnFormat(template, everything)
  const begun = (reasoningEffort?: ReasoningEffort): boolean | undefined =>
    reasoningOf(format, reasoningEffort === undefined ? {} : { reasoningEffort })?.begun
  expect([begun(), begun('low'), begun('none')]).toEqual([true, true, false])
  const prompt = (reasoningEffort?: ReasoningEffort): string =>
    textOf(template.render([{ role: 'user', content: 'hi' }], { reasoningEffort }))
  expect(prompt()).toBe(prompt('high'))
  expect(prompt('none')).toContain('</think>')
  expect(learnFormat(new ChatTemplate(LISTED), everything).switched).toBeUndefined()
})
