/** Anthropic's SDK for Python: messages, streams with thinking and tools, counts, models, errors. */
import { expect, test } from 'vitest'

import { callText, clientNetwork, MODEL } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
import anthropic

client = anthropic.Anthropic(base_url=os.environ["URL"], api_key="any", max_retries=0)
ask = {"model": "claude-sonnet-5-5", "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]}
weather = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
out = {}

whole = client.messages.create(**ask)
out["whole"] = [whole.model, whole.content[-1].text, whole.stop_reason, whole.usage.output_tokens]

thinking = {"type": "enabled", "budget_tokens": 1024}
with client.messages.stream(**{**ask, "max_tokens": 2000}, tools=[weather], thinking=thinking) as stream:
    events = [event.type for event in stream]
    final = stream.get_final_message()
out["first"] = events[:2]
out["blocks"] = [[block.type, getattr(block, "input", None)] for block in final.content]
out["stop"] = final.stop_reason

out["count"] = client.messages.count_tokens(model="auto", messages=ask["messages"]).input_tokens
out["models"] = [model.id for model in client.models.list()]
try:
    client.messages.create(**{**ask, "model": "nobody/has:it"})
except anthropic.NotFoundError as error:
    out["error"] = error.body["error"]["type"]
print(json.dumps(out))
`

test.runIf(withDownloads)("the SDK's calls work", { timeout: 400_000 }, async (context) => {
  const call = callText({ name: 'weather', arguments: { city: 'Oslo' } })
  const { url } = await clientNetwork((prompt) =>
    prompt.includes('weather') ? `<think>Hm.</think>Ok.${call}` : 'Blue.'
  )
  expect(await runPython(context, 'anthropic==2.12.0', PROGRAM, url)).toEqual({
    whole: [MODEL, 'Blue.', 'end_turn', 'Blue.'.length + 1],
    first: ['message_start', 'content_block_start'],
    blocks: [
      ['thinking', null],
      ['text', null],
      ['tool_use', { city: 'Oslo' }]
    ],
    stop: 'tool_use',
    count: 'hello'.length + 3,
    models: ['auto', MODEL],
    error: 'not_found_error'
  })
})
