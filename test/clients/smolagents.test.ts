/** smolagents: an agent that calls tools, and an agent that writes code. */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
from smolagents import CodeAgent, LogLevel, OpenAIModel, ToolCallingAgent, tool

model = OpenAIModel(model_id="auto", api_base=os.environ["URL"] + "/v1", api_key="any")
out = {}

@tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: The city.
    """
    return "It rains in " + city

quiet = {"model": model, "max_steps": 3, "verbosity_level": LogLevel.OFF}
out["tools"] = ToolCallingAgent(tools=[weather], **quiet).run("How is it in Oslo?")
out["code"] = CodeAgent(tools=[weather], **quiet).run("Write code.")
print(json.dumps(out))
`

test.runIf(withDownloads)('both agents work', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    if (prompt.includes('Write code.')) return 'Thought: I call it.\n<code>\nfinal_answer(weather("Rome"))\n</code>'
    return prompt.includes('It rains in Oslo')
      ? callText({ name: 'final_answer', arguments: { answer: 'Take an umbrella.' } })
      : callText({ name: 'weather', arguments: { city: 'Oslo' } })
  })
  expect(await runPython(context, 'smolagents[openai]==1.26.0', PROGRAM, url)).toEqual({
    tools: 'Take an umbrella.',
    code: 'It rains in Rome'
  })
})
