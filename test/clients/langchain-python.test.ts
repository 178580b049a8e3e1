/** LangChain for Python with its class for OpenAI: chats, streams, tools, structured output. */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

model = ChatOpenAI(model="auto", base_url=os.environ["URL"] + "/v1", api_key="any", max_retries=0)
out = {}

class Animal(BaseModel):
    """An animal"""
    legs: int

@tool
def weather(city: str) -> str:
    """The weather of a city"""
    return "It rains in " + city

out["whole"] = model.invoke("hello").content
out["stream"] = "".join(chunk.content for chunk in model.stream("hello"))
out["tool"] = model.bind_tools([weather]).invoke("hello").tool_calls[0]["args"]
out["structured"] = model.with_structured_output(Animal, method="json_schema").invoke("As JSON").legs
print(json.dumps(out))
`

test.runIf(withDownloads)("the class's calls work", { timeout: 400_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('As JSON')) return '{"legs": 4}'
    return prompt.includes('weather') ? callText({ name: 'weather', arguments: { city: 'Oslo' } }) : 'Blue.'
  })
  expect(await runPython(context, 'langchain-openai==1.7.3', PROGRAM, url)).toEqual({
    whole: 'Blue.',
    stream: 'Blue.',
    tool: { city: 'Oslo' },
    structured: 4
  })
})
