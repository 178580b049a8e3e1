/** Lists the models that nodes serve now. */
import type { ModelView } from '@potluck/client'

import { modelInfo, modelPage } from '../anthropic/models.ts'
import { callerSignal, type Handler } from '../http/context.ts'
import { notServed, withIds, type NamedModel } from '../served-models.ts'
import type { Services } from '../services.ts'
import { speaksAnthropic } from './anthropic.ts'

interface ModelObject {
  id: string
  object: 'model'
  created: number
  owned_by: string
  potluck: ModelView | null
}

/** The list has the form of the API that the caller uses. */
export function listModels(services: Services): Handler {
  return async (context) => {
    const served = await services.models.list(callerSignal(context, services.stopping))
    const named = withIds(served)
    return speaksAnthropic(context)
      ? context.json(modelPage(named.map((one) => modelInfo(one, services.startedAt))))
      : context.json({ object: 'list', data: named.map((one) => toObject(one, services)) })
  }
}

/** Accepts a name, a digest, or `auto`. */
export function getModel(services: Services): Handler {
  return async (context) => {
    const id = context.req.param('id') ?? ''
    const served = await services.models.list(callerSignal(context, services.stopping))
    const model = services.models.choose(served, id)
    if (model === undefined && (id !== 'auto' || served.length === 0)) throw notServed(id, served)
    return context.json(
      speaksAnthropic(context) ? modelInfo({ id, model }, services.startedAt) : toObject({ id, model }, services)
    )
  }
}

function toObject({ id, model }: NamedModel, { startedAt }: Services): ModelObject {
  return { id, object: 'model', created: startedAt, owned_by: 'potluck', potluck: model ?? null }
}
