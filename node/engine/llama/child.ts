/**
 * Entry of the engine's process. The first thing it does is to tie its life to the daemon's: a
 * process with the model's memory that nobody talks to any more must not stay behind, whatever it is
 * busy with, so it kills itself rather than exits, which would wait for a native call to return.
 */
import process from 'node:process'
import type { FromChild, ToChild } from '../child/messages.ts'

const die = (): boolean => process.kill(process.pid, 'SIGKILL')
process.once('disconnect', die)
if (process.connected !== true) die()
// Ctrl-C reaches the whole group of processes; the daemon drains first and then lets go of this one.
process.on('SIGINT', () => undefined)

/** A message that cannot be sent means that the daemon is gone, though `disconnect` has not come yet. */
const send = (message: FromChild): void => {
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) die()
  })
}

// Messages wait in the channel until there is a listener; the library's modules take a moment to load.
const { EngineHost } = await import('./host.ts')
const host = new EngineHost(send)
process.on('message', (message) => host.receive(message as ToChild))
