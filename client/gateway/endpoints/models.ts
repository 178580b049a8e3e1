/** Lists the models that nodes serve now. */
import type { ModelView } from '@potluck/client'

import { callerSignal, type Handler } from '../http/context.ts'
import { notServed } from '../served-models.ts'
import type { Services } from '../services.ts'

interface ModelObject {
  id: string
  object: 'model'
  created: number
  owned_by: string
  potluck: ModelView | null
}

/**
 * The id of a model is its name. If several models have the same name, the model that most nodes serve gets the name as
 * its id. The other models get their digest as their id.
 */
export function listModels(services: Services): Handler {
  return async (context) => {
    const served = await services.models.list(callerSignal(context, services.stopping))
    const names = new Set<string>()
    const listed = served.map((model) => {
      const taken = names.has(model.name)
      names.add(model.name)
      return toObject(taken ? model.digest : model.name, model, services)
    })
    const data = listed.length === 0 ? [] : [toObject('auto', undefined, services), ...listed]
    return context.json({ object: 'list', data })
  }
}

/** Accepts a name, a digest, or `auto`. */
export function getModel(services: Services): Handler {
  return async (context) => {
    const id = context.req.param('id') ?? ''
    const served = await services.models.list(callerSignal(context, services.stopping))
    const model = services.models.choose(served, id)
    if (model === undefined && (id !== 'auto' || served.length === 0)) throw notServed(id, served)
    return context.json(toObject(id, model, services))
  }
}

/** @param model undefined for `auto`, which selects the best model at the time of each request */
function toObject(id: string, model: ModelView | undefined, { startedAt }: Services): ModelObject {
  return { id, object: 'model', created: startedAt, owned_by: 'potluck', potluck: model ?? null }
}
