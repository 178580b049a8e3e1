/**
 * `npm run calibrate -- [TOKENS]`: measures how far the logits of honest nodes differ, with the model crumb, and writes
 * `client/evidence/honest.ts`. Run it after every change of the engine or of the embedded model.
 *
 * TOKENS: answer tokens for each variation (default 40,000).
 */
import { calibrate } from './calibrate/calibrate.ts'

const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('Interrupted.')))

await calibrate(Number(process.argv[2] ?? 40_000), interrupted.signal)
