/** OpenAI's SDK for Python: chats, streams, tools, structured output, embeddings, responses, errors. */
import { expect, test } from 'vitest'

import { callText, clientNetwork, MODEL } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=os.environ["URL"] + "/v1", api_key="any", max_retries=0)
ask = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
out = {}

class Animal(BaseModel):
    legs: int

whole = client.chat.completions.create(**ask)
out["whole"] = [whole.model, whole.choices[0].message.content, whole.usage.completion_tokens]
out["stream"] = "".join(c.choices[0].delta.content or "" for c in client.chat.completions.create(**ask, stream=True))
weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
call = client.chat.completions.create(**ask, tools=[weather]).choices[0].message.tool_calls[0].function
out["tool"] = [call.name, json.loads(call.arguments)]
asked = {**ask, "messages": [{"role": "user", "content": "As JSON"}]}
out["structured"] = client.chat.completions.parse(**asked, response_format=Animal).choices[0].message.parsed.legs
out["embeddings"] = len(client.embeddings.create(model="auto", input=["a", "b"]).data)
out["response"] = client.responses.create(model="auto", input="hello", store=False).output_text
out["models"] = [model.id for model in client.models.list()]
try:
    client.chat.completions.create(**{**ask, "model": "nobody/has:it"})
except openai.NotFoundError as error:
    out["error"] = error.code
print(json.dumps(out))
`

test.runIf(withDownloads)("the SDK's calls work", { timeout: 400_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('As JSON')) return '{"legs": 4}'
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'openai==3.54.0', PROGRAM, url)).toEqual({
    whole: [MODEL, 'Blue.', 'Blue.'.length + 1],
    stream: 'Blue.',
    tool: ['weather', { city: 'Oslo' }],
    structured: 4,
    embeddings: 2,
    response: 'Blue.',
    models: ['auto', MODEL],
    error: 'model_not_found'
  })
})
