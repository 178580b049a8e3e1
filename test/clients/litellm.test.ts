/** LiteLLM: chats, streams with usage, tools, structured output, embeddings, Anthropic's messages, errors. */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from pydantic import BaseModel

class Animal(BaseModel):
    legs: int

url = os.environ["URL"]
openai = {"model": "openai/auto", "api_base": url + "/v1", "api_key": "any", "num_retries": 0}
def say(text):
    return {"messages": [{"role": "user", "content": text}]}
weather = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
out = {}
out["whole"] = litellm.completion(**openai, **say("hello")).choices[0].message.content
chunks = list(litellm.completion(**openai, **say("hello"), stream=True, stream_options={"include_usage": True}))
out["stream"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
out["tool"] = litellm.completion(**openai, **say("How is it?"), tools=[weather]).choices[0].message.tool_calls[0].function.arguments
out["structured"] = litellm.completion(**openai, **say("As JSON"), response_format=Animal).choices[0].message.content
out["embedding"] = len(litellm.embedding(**openai, input=["a fox"]).data[0]["embedding"]) > 1
anthropic = {"model": "anthropic/auto", "api_base": url, "api_key": "any", "max_tokens": 100, "num_retries": 0}
out["anthropic"] = litellm.completion(**anthropic, **say("hello")).choices[0].message.content
try:
    litellm.completion(**{**openai, "model": "openai/nobody/has:it"}, **say("hello"))
except litellm.NotFoundError:
    out["error"] = "not found"
print(json.dumps(out))
`

test.runIf(withDownloads)('completions work', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('It rains in Oslo')) return 'Take an umbrella.'
    if (prompt.includes('As JSON')) return '{"legs": 4}'
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'litellm==1.106.2 mcp==2.3.0', PROGRAM, url)).toEqual({
    whole: 'Blue.',
    stream: 'Blue.',
    tool: '{"city":"Oslo"}',
    structured: '{"legs": 4}',
    embedding: true,
    anthropic: 'Blue.',
    error: 'not found'
  })
})
