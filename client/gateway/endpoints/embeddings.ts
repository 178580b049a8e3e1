import { readJson } from '../http/body.ts'
import { untilGone, type Handler } from '../http/context.ts'
import { embeddingList, parseEmbeddings } from '../openai/embeddings.ts'
import type { Services } from '../services.ts'

export function embeddings(services: Services): Handler {
  return async (context) => {
    const request = parseEmbeddings(await readJson(context.env.incoming, services.limits.bodyBytes))
    const { model = 'auto', input } = request
    const leave = services.turnstile.enter(1)
    const measured = services.metrics.request('embeddings')
    const signal = untilGone(context, services.stopping)
    try {
      const texts = typeof input === 'string' ? [input] : input
      const result = await services.client.embed({ model, input: texts, signal })
      measured.embedded(result.promptTokens)
      measured.ended('done')
      const headers = { 'x-potluck-node': result.peerId, 'x-potluck-model': result.model.digest }
      return context.json(embeddingList(result, request), 200, headers)
    } catch (error) {
      const shown = await services.models.explain(error, { model }, signal)
      measured.ended(shown.code ?? 'failed')
      throw shown
    } finally {
      leave()
    }
  }
}
