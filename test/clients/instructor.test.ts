/** Instructor over the SDK of OpenAI: structured output by schema, by a tool, as a list, and streamed in parts. */
import { expect, test } from 'vitest'

import { callText, clientNetwork } from './network.ts'
import { withDownloads } from './npm-command.ts'
import { runPython } from './python.ts'

const PROGRAM = `
import json, os
from typing import List
import instructor
from openai import OpenAI
from pydantic import BaseModel

class Animal(BaseModel):
    name: str
    legs: int

def client(mode):
    return instructor.from_openai(OpenAI(base_url=os.environ["URL"] + "/v1", api_key="any", max_retries=0), mode=mode)

ask = {"model": "auto", "messages": [{"role": "user", "content": "hello"}], "max_retries": 0}
out = {}
for name, mode in [("schema", instructor.Mode.JSON_SCHEMA), ("tool", instructor.Mode.TOOLS), ("json", instructor.Mode.JSON)]:
    out[name] = client(mode).chat.completions.create(response_model=Animal, **ask).legs
parts = list(client(instructor.Mode.JSON_SCHEMA).chat.completions.create_partial(response_model=Animal, **ask))
out["partial"] = [len(parts) > 2, parts[-1].legs]
print(json.dumps(out))
`

test.runIf(withDownloads)('models of pydantic come back', { timeout: 600_000 }, async (context) => {
  const { url } = await clientNetwork((prompt) =>
    prompt.includes('You can call these tools')
      ? callText({ name: 'Animal', arguments: { name: 'ant', legs: 6 } })
      : '{"name": "fox", "legs": 4}'
  )
  expect(await runPython(context, 'instructor==1.17.0', PROGRAM, url)).toEqual({
    schema: 4,
    tool: 6,
    json: 4,
    partial: [true, 4]
  })
})
