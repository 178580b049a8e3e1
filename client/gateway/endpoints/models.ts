/** What can be asked for now. */
import type { ModelView } from '../../discover/models.ts'
import { untilGone, type Handler } from '../http/context.ts'
import { notServed } from '../served-models.ts'
import type { Services } from '../services.ts'

interface ModelObject {
  id: string
  object: 'model'
  created: number
  owned_by: string
  potluck: ModelView | null
}

/** Named by name; where one name stands for several models, the less served of them by their digests. */
export function listModels(services: Services): Handler {
  return async (context) => {
    const served = await services.models.list(untilGone(context, services.stopping))
    const names = new Set<string>()
    const listed = served.map((model) => {
      const taken = names.has(model.name)
      names.add(model.name)
      return object(taken ? model.digest : model.name, model, services)
    })
    const data = listed.length === 0 ? [] : [object('auto', undefined, services), ...listed]
    return context.json({ object: 'list', data })
  }
}

/** By a name, a digest, or `auto`. */
export function getModel(services: Services): Handler {
  return async (context) => {
    const id = context.req.param('id') ?? ''
    const served = await services.models.list(untilGone(context, services.stopping))
    const model = services.models.choose(served, id)
    if (model === undefined && (id !== 'auto' || served.length === 0)) throw notServed(id, served)
    return context.json(object(id, model, services))
  }
}

/** @param model undefined for `auto`, which is whatever is best at the time */
function object(id: string, model: ModelView | undefined, { startedAt }: Services): ModelObject {
  return { id, object: 'model', created: startedAt, owned_by: 'potluck', potluck: model ?? null }
}
