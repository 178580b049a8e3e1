/**
 * LlamaIndex with its class for servers with OpenAI's API: answers, streams, chats, an agent with a tool, structured
 * output.
 */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import asyncio, json, os
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

llm = OpenAILike(
    model="auto",
    api_base=os.environ["URL"] + "/v1",
    api_key="any",
    context_window=8192,
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
)
out = {}

class Animal(BaseModel):
    """An animal"""
    legs: int

def weather(city: str) -> str:
    """The weather of a city"""
    return "It rains in " + city

async def agent():
    return str(await FunctionAgent(tools=[weather], llm=llm).run("How is it in Oslo?"))

out["whole"] = llm.complete("hello").text
out["stream"] = "".join(part.delta or "" for part in llm.stream_complete("hello"))
out["chat"] = llm.chat([ChatMessage(role="user", content="hello")]).message.content
out["agent"] = asyncio.run(agent())
out["structured"] = llm.as_structured_llm(Animal).complete("hello").raw.legs
print(json.dumps(out))
`

test.runIf(withDownloads)('the class and an agent work', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('It rains in Oslo')) return 'Take an umbrella.'
    if (prompt.includes('Animal')) return callText({ name: 'Animal', arguments: { legs: 4 } })
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'llama-index-llms-openai-like==0.8.1', PROGRAM, url)).toEqual({
    whole: 'Blue.',
    stream: 'Blue.',
    chat: 'Blue.',
    agent: 'Take an umbrella.',
    structured: 4
  })
})
