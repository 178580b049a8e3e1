import { toAsk, type Ask } from '../../../client/base/request.ts'

/**
 * A valid request. All requests of a run are copies with another input, because validating each of them takes too long.
 */
export const ANY_ASK: Ask = toAsk({ messages: [{ role: 'user', content: 'any' }], seed: 0n })
