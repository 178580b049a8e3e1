/** DSPy: a signature, a chain of thought, and an agent with a tool. */
import { expect, test } from 'vitest'

import { clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
import dspy

dspy.configure(lm=dspy.LM("openai/auto", api_base=os.environ["URL"] + "/v1", api_key="any", cache=False, num_retries=0))
out = {}

def weather(city: str) -> str:
    """The weather of a city"""
    return "It rains in " + city

out["predict"] = dspy.Predict("question -> answer")(question="hello").answer
out["thought"] = dspy.ChainOfThought("question -> answer")(question="hello").answer
out["agent"] = dspy.ReAct("question -> answer", tools=[weather], max_iters=3)(question="How is it in Oslo?").answer
print(json.dumps(out))
`

test.runIf(withDownloads)('modules work', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) => {
    const fields = (...values: [string, string][]): string =>
      [...values, ['completed', ''] as const].map(([name, value]) => `[[ ## ${name} ## ]]\n${value}`).join('\n\n')
    if (!prompt.includes('next_tool_name')) return fields(['reasoning', 'I know it.'], ['answer', 'Blue.'])
    const done = prompt.includes('It rains in Oslo')
    return fields(
      ['next_thought', 'Hm.'],
      ['next_tool_name', done ? 'finish' : 'weather'],
      ['next_tool_args', done ? '{}' : '{"city": "Oslo"}']
    )
  })
  expect(await runPython(context, 'dspy==3.4.1', PROGRAM, url)).toEqual({
    predict: 'Blue.',
    thought: 'Blue.',
    agent: 'Blue.'
  })
})
