/**
 * Endpoints that count the tokens of a prompt. Only a node has the tokenizer of its model. The gateway asks a node to
 * answer the prompt: the node accepts the request with the token ids of the prompt, and the gateway cancels the answer.
 */
import type { AcceptedPart, Answer, ChatOptions, CompletionOptions } from '@potluck/client'

import { acceptedHeaders } from '../answers/potluck.ts'
import { readJson } from '../http/body.ts'
import type { GatewayContext, Handler } from '../http/context.ts'
import { parseResponses, responsesOptions } from '../openai/responses-request.ts'
import { parseTokenize } from '../openai/tokenize.ts'
import type { Services } from '../services.ts'
import { trackRequest } from '../tracked-request.ts'

export function inputTokens(services: Services): Handler {
  return async (context) => {
    const body = await readJson(context.env.incoming, services.limits.bodyBytes)
    const options = responsesOptions(parseResponses(body))
    return await withPrompt(context, services, options, ({ promptTokens }) => ({
      object: 'response.input_tokens',
      input_tokens: promptTokens
    }))
  }
}

export function tokenize(services: Services): Handler {
  return async (context) => {
    const options = parseTokenize(await readJson(context.env.incoming, services.limits.bodyBytes))
    return await withPrompt(context, services, options, ({ promptTokens, prompt, model }) => ({
      count: promptTokens,
      tokens: prompt,
      model: model.name
    }))
  }
}

async function withPrompt(
  context: GatewayContext,
  services: Services,
  options: ChatOptions | CompletionOptions,
  format: (accepted: AcceptedPart) => object
): Promise<Response> {
  const { model = 'auto' } = options
  const tracked = { endpoint: 'tokens', requested: { model }, count: 1 }
  return await trackRequest(context, services, tracked, async (signal) => {
    const one = { ...options, maxTokens: 1, signal }
    const accepted = await acceptedPart('prompt' in one ? services.client.complete(one) : services.client.chat(one))
    return { response: context.json(format(accepted), 200, acceptedHeaders(accepted)) }
  })
}

/** Waits until a node accepts the request, and cancels the answer. */
async function acceptedPart(answer: Answer): Promise<AcceptedPart> {
  for await (const part of answer) if (part.type === 'accepted') return part
  throw new Error('an answer that no node accepted')
}
