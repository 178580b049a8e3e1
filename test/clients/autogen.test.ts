/** AutoGen with its class for OpenAI: an agent with a tool in two rounds, a team of two agents, structured output. */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import asyncio, json, os
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from pydantic import BaseModel

info = {"vision": False, "function_calling": True, "json_output": True, "structured_output": True, "family": "unknown"}
client = OpenAIChatCompletionClient(model="auto", base_url=os.environ["URL"] + "/v1", api_key="any", model_info=info)
out = {}

class Animal(BaseModel):
    legs: int

async def weather(city: str) -> str:
    """The weather of a city"""
    return "It rains in " + city

async def main():
    agent = AssistantAgent("forecaster", model_client=client, tools=[weather], reflect_on_tool_use=True)
    out["tool"] = (await agent.run(task="How is it in Oslo?")).messages[-1].content
    team = RoundRobinGroupChat(
        [AssistantAgent(name, model_client=client) for name in ("one", "two")],
        termination_condition=MaxMessageTermination(3),
    )
    out["team"] = [message.content for message in (await team.run(task="hello")).messages]
    asked = [UserMessage(content="As JSON", source="user")]
    out["structured"] = (await client.create(asked, json_output=Animal)).content

asyncio.run(main())
print(json.dumps(out))
`

test.runIf(withDownloads)('agents work', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('It rains in Oslo')) return 'Take an umbrella.'
    if (prompt.includes('As JSON')) return '{"legs": 4}'
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'autogen-agentchat==0.7.5 autogen-ext[openai]==0.7.5', PROGRAM, url)).toEqual({
    tool: 'Take an umbrella.',
    team: ['hello', 'Blue.', 'Blue.'],
    structured: '{"legs": 4}'
  })
})
