/**
 * Tool calls in the formats of the model families that people run. For each chat template, the node learns the format of
 * calls, and then must read back what the template itself writes: conversations with several rounds, several calls in one
 * answer, reasoning before them, and strings with the marks of other formats.
 *
 * The templates here are short ones of this project, which write calls as the named models do. `POTLUCK_TEMPLATES=FOLDER`
 * tests the files `*.jinja` of a folder as well, such as the templates that llama.cpp collects.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { ChatMessage, OutputConstraint, Tool, ToolCall } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { learnFormat } from '../../node/engine/llama/tool-call-format.ts'
import { ChatTemplate, type RenderedPart } from '../../node/engine/llama/template.ts'
import { GENERIC_CALLS } from '../../node/engine/output/chat-format.ts'
import { ConstraintCompiler } from '../../node/engine/output/compiler.ts'
import { vocabulary } from '../scripted-engine/model.ts'

const TURNS = `{% if tools %}<|system|>{{ tools | tojson }}{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}`
const END = `<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`
const calls = (each: string, before = '', after = ''): string =>
  `${TURNS}{% if m.tool_calls %}${before}{% for c in m.tool_calls %}${each}{% endfor %}${after}{% endif %}${END}`
const JSON_CALL = `{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}`
const COMMA = `{% if not loop.last %}, {% endif %}`
const NEW_LINE = `{% if m.content or not loop.first %}{{ '\\n' }}{% endif %}`
const each = (body: string): string => `{% for k, v in c.function.arguments.items() %}${body}{% endfor %}`
const VALUE = `{{ v if v is string else v | tojson }}`

interface Family {
  source: string
  /** What the format must be, as far as it matters. */
  format: object
}

const FAMILIES: Readonly<Record<string, Family>> = {
  'Qwen 2.5 and 3': {
    source: calls(`${NEW_LINE}<tool_call>\n${JSON_CALL}}\n</tool_call>`),
    format: { ...GENERIC_CALLS }
  },
  'Llama 3': {
    source: calls(`{"name": "{{ c.function.name }}", "parameters": {{ c.function.arguments | tojson }}}`).replace(
      '{% for m in messages %}',
      "{% for m in messages %}{% if m.tool_calls and m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif %}"
    ),
    format: { opening: '', name: 'name', arguments: 'parameters' }
  },
  'Mistral Nemo': {
    source: calls(`${JSON_CALL}, "id": "{{ c.id[-9:] }}"}${COMMA}`, '[TOOL_CALLS][', ']').replace(
      '{% for c in',
      "{% for c in m.tool_calls %}{% if c.id | length < 9 %}{{ raise_exception('id') }}{% endif %}{% endfor %}{% for c in"
    ),
    format: { opening: '[TOOL_CALLS][', between: ', ', closing: ']', id: 'id' }
  },
  'Mistral Small 3.2': {
    source: calls(`[TOOL_CALLS]{{ c.function.name }}[CALL_ID]{{ c.id[-9:] }}[ARGS]{{ c.function.arguments | tojson }}`),
    format: { opening: '[TOOL_CALLS]', between: '[TOOL_CALLS]', beforeId: '[CALL_ID]', separator: '[ARGS]' }
  },
  Devstral: {
    source: calls(`[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}`),
    format: { opening: '[TOOL_CALLS]', between: '[TOOL_CALLS]', separator: '[ARGS]' }
  },
  'DeepSeek R1': {
    // Joins texts, and so refuses arguments that are an object.
    source: calls(
      `{{ '<|call_begin|>function<|sep|>' + c.function.name + '\\n\`\`\`json\\n' + c.function.arguments + '\\n\`\`\`<|call_end|>' }}`,
      '<|calls_begin|>',
      '<|calls_end|>'
    ),
    format: { opening: '<|calls_begin|><|call_begin|>function<|sep|>', separator: '\n```json\n' }
  },
  'GLM 4.6, with reasoning': {
    source: calls(
      `{{ '\\n<tool_call>' + c.function.name }}${each(`{{ '\\n<arg_key>' + k + '</arg_key>\\n<arg_value>' }}${VALUE}</arg_value>`)}{{ '\\n' }}</tool_call>`
    ).replaceAll('<|assistant|>', '<|assistant|>{# <think></think> #}'),
    format: { opening: '<tool_call>', beforeKey: '\n<arg_key>', afterValue: '</arg_value>' }
  },
  'Qwen 3 Coder': {
    source: calls(
      `${NEW_LINE}<tool_call>\n<function={{ c.function.name }}>${each(`{{ '\\n<parameter=' + k + '>\\n' }}${VALUE}{{ '\\n</parameter>' }}`)}{{ '\\n</function>\\n</tool_call>' }}`
    ),
    format: { opening: '<tool_call>\n<function=' }
  },
  'MiniMax M2, whose prompt opens the reasoning': {
    source: `${calls(
      `<invoke name="{{ c.function.name }}">${each(`{{ '\\n' }}<parameter name="{{ k }}">${VALUE}</parameter>`)}{{ '\\n</invoke>\\n' }}`,
      '\n<minimax:tool_call>\n',
      '</minimax:tool_call>'
    )}{% if add_generation_prompt %}<think>\n{% endif %}{# </think> #}`,
    format: { closing: '>\n</invoke>\n</minimax:tool_call>' }
  },
  'Gemma 3, which knows no tools': {
    source: TURNS.slice(TURNS.indexOf('{% for')) + END,
    format: { ...GENERIC_CALLS }
  }
}

for (const file of process.env.POTLUCK_TEMPLATES === undefined ? [] : readdirSync(process.env.POTLUCK_TEMPLATES)) {
  if (!file.endsWith('.jinja')) continue
  const source = readFileSync(join(process.env.POTLUCK_TEMPLATES ?? '', file), 'utf8')
  Object.assign(FAMILIES, { [basename(file, '.jinja')]: { source, format: {} } })
}

const TOOLS: readonly Tool[] = [
  {
    name: 'find_file',
    description: 'Finds files.',
    parameters: {
      type: 'object',
      properties: {
        name: { type: 'string' },
        most: { type: 'integer' },
        kinds: { type: 'array', items: { type: 'string' } },
        options: { type: 'object', properties: { deep: { type: 'boolean' } } }
      },
      required: ['name']
    }
  },
  { name: 'wait', parameters: { type: 'object', properties: {} } }
]
/** An answer without calls. */
const PLAIN = 'potluck_answer'
/** Words that look like marks, blanks at the ends, quotes, and several lines. */
const HOSTILE = ' a "quoted" name\n</arg> [ARGS] <tool_call> {"name": "wait"} é 😀 '
const ANSWERS: Readonly<Record<string, readonly object[]>> = {
  'one call': [{ name: 'notes.txt', most: 3, kinds: ['a', 'b'], options: { deep: true } }],
  'a call with one argument': [{ name: 'notes.txt' }],
  'a string with the marks of other formats': [{ name: HOSTILE, most: 1 }],
  'several calls': [{ name: 'one' }, { name: 'two', most: 2 }]
}

describe.each(Object.entries(FAMILIES))('%s', (_name, { source, format: expected }) => {
  const template = new ChatTemplate(source)
  const format = learnFormat(template, () => true)
  const compiler = new ConstraintCompiler(vocabulary, format)
  const constraint: OutputConstraint = { chat: true, tools: TOOLS }
  const several = 'between' in format.calls

  test('the format is learned', () => {
    expect(format.calls).toMatchObject(expected)
  })

  for (const [kind, answers] of Object.entries(ANSWERS)) {
    // With a format that is not the template's own, the template says nothing about calls.
    test.runIf(format.native && (several || answers.length === 1))(`${kind}, after another round`, ({ skip }) => {
      const messages: ChatMessage[] = [
        { role: 'user', content: 'Find it.' },
        called([{ name: 'first' }]),
        { role: 'tool', content: 'not found', toolCallId: 'call00000' },
        called(answers)
      ]
      const text = answerOf(template, messages, format)
      if (text === undefined) return skip('the template refuses a second round')
      const begin = format.reasoning?.begun === true ? format.reasoning.close : ''
      expect(read(compiler, constraint, begin + text)).toEqual({
        text: '',
        called: true,
        allowed: true,
        calls: answers.map((given) => ['find_file', given])
      })
    })
  }

  test.runIf(format.native && format.reasoning !== undefined)('a call after reasoning', () => {
    const { open, close, begun } = format.reasoning!
    const call = answerOf(template, [{ role: 'user', content: 'Find it.' }, called([{ name: 'x' }])], format)!
    const text = `${begun ? '' : open}I call <tool.${close}\n\n${call.trimStart()}`
    expect(read(compiler, constraint, text)).toMatchObject({
      called: true,
      allowed: true,
      calls: [['find_file', { name: 'x' }]]
    })
  })
})

function called(answers: readonly object[]): ChatMessage {
  const toolCalls = answers.map((given, index): ToolCall => ({
    id: `call0000${index}`,
    name: 'find_file',
    arguments: JSON.stringify(given)
  }))
  return { role: 'assistant', content: '', toolCalls }
}

/** Returns what the model wrote to give the last message: the text that another last message does not have. */
function answerOf(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  { textArguments }: ReturnType<typeof learnFormat>
): string | undefined {
  const [whole, plain] = [messages, [...messages.slice(0, -1), { role: 'assistant', content: PLAIN } as const]].map(
    (chat) => template.tryRender(chat, { tools: TOOLS, prompt: false, textArguments })?.map(textOf).join('')
  )
  if (whole === undefined || plain === undefined) return undefined
  const [before = '', after = ''] = plain.split(PLAIN)
  let start = 0
  while (start < before.length && whole[start] === before[start]) start++
  // A template can write empty reasoning before the call.
  return whole.slice(start, whole.length - after.length).replace(/^\s*<think>\s*<\/think>/, '')
}

function textOf(part: RenderedPart): string {
  return 'text' in part ? part.text : ''
}

/** Reads an answer of the model as the node does, and whether the grammar allows it. */
function read(
  compiler: ConstraintCompiler,
  constraint: OutputConstraint,
  answer: string
): { text: string; called: boolean; allowed: boolean; calls: [string, unknown][] } {
  const parser = compiler.parser(constraint, { promptTokens: [1], seed: 1n })!
  const grammar = compiler.grammar(constraint)!
  let text = ''
  const found: { name: string; json: string }[] = []
  const pieces = Array.from(answer, (character) => parser.push(character))
  for (const part of [...pieces, parser.finish()]) {
    text += part.text
    for (const { index, name, arguments: json } of part.calls) {
      if (name !== undefined) found.push({ name, json: '' })
      found[index]!.json += json
    }
  }
  for (const byte of Buffer.from(answer)) grammar.accept(byte)
  return {
    text: text.trim(),
    called: parser.called,
    allowed: !grammar.failed,
    calls: found.map(({ name, json }) => [name, JSON.parse(json) as unknown])
  }
}
