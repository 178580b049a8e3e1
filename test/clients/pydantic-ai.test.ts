/**
 * Pydantic AI with its class for OpenAI: answers, streams, a tool in two rounds, structured output by schema and by
 * tool.
 */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import asyncio, json, os
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

model = OpenAIChatModel("auto", provider=OpenAIProvider(base_url=os.environ["URL"] + "/v1", api_key="any"))
out = {}

class Animal(BaseModel):
    legs: int

async def stream():
    async with Agent(model).run_stream("hello") as result:
        return [text async for text in result.stream_text()][-1]

out["whole"] = Agent(model).run_sync("hello").output
out["stream"] = asyncio.run(stream())

agent = Agent(model)

@agent.tool_plain
def weather(city: str) -> str:
    """The weather of a city"""
    return "It rains in " + city

out["tool"] = agent.run_sync("How is it in Oslo?").output
out["schema"] = Agent(model, output_type=NativeOutput(Animal)).run_sync("As JSON").output.legs
out["by tool"] = Agent(model, output_type=Animal).run_sync("hello").output.legs
print(json.dumps(out))
`

test.runIf(withDownloads)('an agent works', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('It rains in Oslo')) return 'Take an umbrella.'
    if (prompt.includes('As JSON')) return '{"legs": 4}'
    if (prompt.includes('final_result')) return callText({ name: 'final_result', arguments: { legs: 6 } })
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'pydantic-ai-slim[openai]==2.68.0', PROGRAM, url)).toEqual({
    whole: 'Blue.',
    stream: 'Blue.',
    tool: 'Take an umbrella.',
    schema: 4,
    'by tool': 6
  })
})
