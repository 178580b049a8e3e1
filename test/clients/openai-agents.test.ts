/**
 * OpenAI's SDK for agents, for Python: a tool and a handover, over responses and chat completions, whole and streamed.
 */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import asyncio, json, os
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)

@function_tool
def weather(city: str) -> str:
    """The weather of a city"""
    return "It rains in " + city

async def answers(kind):
    model = kind(model="auto", openai_client=AsyncOpenAI(base_url=os.environ["URL"] + "/v1", api_key="any", max_retries=0))
    agent = Agent(name="Forecaster", instructions="Use tools.", model=model, tools=[weather])
    whole = (await Runner.run(agent, "How is it in Oslo?")).final_output
    streamed = Runner.run_streamed(agent, "How is it in Oslo?")
    kinds = [event.type async for event in streamed.stream_events()]
    first = Agent(name="Desk", model=model, handoffs=[Agent(name="Expert", instructions="Be an expert.", model=model)])
    handed = await Runner.run(first, "hello")
    return [whole, streamed.final_output, "raw_response_event" in kinds, handed.last_agent.name, handed.final_output]

out = {
    "responses": asyncio.run(answers(OpenAIResponsesModel)),
    "chat": asyncio.run(answers(OpenAIChatCompletionsModel)),
}
print(json.dumps(out))
`

test.runIf(withDownloads)('an agent works', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('It rains in Oslo')) return 'Take an umbrella.'
    if (prompt.includes('Be an expert.')) return 'Blue.'
    return prompt.includes('transfer_to_expert')
      ? callText({ name: 'transfer_to_expert', arguments: {} })
      : callText({ name: 'weather', arguments: { city: 'Oslo' } })
  })
  expect(await runPython(context, 'openai-agents==0.24.0', PROGRAM, url)).toEqual({
    responses: ['Take an umbrella.', 'Take an umbrella.', true, 'Expert', 'Blue.'],
    chat: ['Take an umbrella.', 'Take an umbrella.', true, 'Expert', 'Blue.']
  })
})
