/** Ollama's client for Python: models, chats, streams, tools, completions, embeddings, errors. */
import { expect, test } from 'vitest'

import { callText, clientNetwork, MODEL } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
import ollama

client = ollama.Client(host=os.environ["URL"])
messages = [{"role": "user", "content": "hello"}]
out = {}

def weather(city: str) -> str:
    """The weather of a city

    Args:
        city: the name of the city
    """
    return "It rains in " + city

out["models"] = [model.model for model in client.list().models]
model = out["models"][1]
out["running"] = [one.name for one in client.ps().models]
out["capabilities"] = client.show(model).capabilities
whole = client.chat(model=model, messages=messages)
out["whole"] = [whole.message.content, whole.done_reason, whole.eval_count, whole.total_duration > 0]
out["stream"] = "".join(part.message.content for part in client.chat(model=model, messages=messages, stream=True))

asked = client.chat(model=model, messages=messages, tools=[weather])
call = asked.message.tool_calls[0].function
result = {"role": "tool", "content": weather(**call.arguments), "tool_name": call.name}
out["tool"] = client.chat(model=model, messages=[*messages, asked.message, result], tools=[weather]).message.content

out["generate"] = client.generate(model=model, prompt="hello").response
out["embed"] = len(client.embed(model=model, input=["a", "b"]).embeddings)
out["pull"] = [part.status for part in client.pull(model, stream=True)][-1]
try:
    client.chat(model="llama3", messages=messages)
except ollama.ResponseError as error:
    out["error"] = error.status_code
print(json.dumps(out))
`

test.runIf(withDownloads)("the client's calls work", { timeout: 400_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('It rains in Oslo')) return 'Take an umbrella.'
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'ollama==0.6.3', PROGRAM, url)).toEqual({
    models: ['auto', MODEL],
    running: [MODEL],
    capabilities: ['completion', 'tools', 'thinking', 'embedding'],
    whole: ['Blue.', 'stop', 'Blue.'.length + 1, true],
    stream: 'Blue.',
    tool: 'Take an umbrella.',
    generate: 'Blue.',
    embed: 2,
    pull: 'success',
    error: 404
  })
})
